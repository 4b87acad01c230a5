"""emomod study: from modified clips to what listeners heard."""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli import study_analysis, study_serve, study_tools
from emomod.cli.options import (
    add_explanation,
    add_model,
    announcer,
    clip_path,
    finish_progress,
    method_settings,
    needs_extra,
    print_json,
    score_name,
)
from emomod.errors import InputError

WINDOW_S = 10.0  # that the model which ships hears


def add(commands: Any) -> None:
    """Plan a listening study and make its stimuli."""
    parser = commands.add_parser("study", help=add.__doc__, description=add.__doc__)
    jobs = parser.add_subparsers(required=True, metavar="JOB")
    design = jobs.add_parser("design", help="write the plan of a study, a file to look at and to edit")
    add_design_arguments(design)
    design.set_defaults(run=needs_extra(execute_design, extra="study"))
    stimuli = jobs.add_parser("stimuli", help="render all versions of a plan's clips behind a gate of checks")
    add_stimuli_arguments(stimuli)
    stimuli.set_defaults(run=needs_extra(execute_stimuli, extra="study"))
    study_serve.add(jobs)
    study_tools.add(jobs)
    study_analysis.add(jobs)


def add_design_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod study design``; what is left out has the plan's default."""
    parser.add_argument(
        "clips",
        nargs="+",
        type=clip_path,
        metavar="CLIP",
        help='sound files ("demo" is the bundled one), folders of emomod run, the store of emomod batch, '
        "or folders of emomod steer --steps",
    )
    parser.add_argument(
        "--target",
        nargs="+",
        required=True,
        type=score_name,
        metavar="NAME",
        help="what is manipulated and asked about",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the plan, a new YAML file")
    parser.add_argument("--title", default="A listening study", help="for you: participants see a neutral heading")
    parser.add_argument("--gain-db", nargs="+", type=float, metavar="DB", help="default: 6")
    parser.add_argument("--versions", nargs="+", metavar="NAME", help="enhanced weakened sham (default), opposite")
    parser.add_argument("--trial-type", help="pair (default), ccr, sliders, scale, abx")
    parser.add_argument("--asked", help="own (default): a target about itself; all: about all targets")
    parser.add_argument("--lists", type=int, metavar="N", help="orders that listeners are dealt (default 4)")
    parser.add_argument("--language", help="en (default) or de")
    parser.add_argument("--seed", type=int, help="default: 0")


def add_stimuli_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod study stimuli``."""
    parser.add_argument("plan", type=Path, metavar="PLAN", help="the YAML file of `emomod study design`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the study")
    parser.add_argument("--seed", type=int, default=0, help="of the masks of explanations (default 0)")
    parser.add_argument("--json", action="store_true", help="print the key as JSON on standard output")
    add_explanation(parser)
    add_model(parser)


def execute_design(arguments: argparse.Namespace) -> int:
    """Write the plan and say what it comes to."""
    from listening_study.plan import StudyPlan, items_of, write_plan
    from listening_study.stimuli import read_clips
    from listening_study.trials import draw_lists, minutes_of

    if arguments.out.exists():
        raise InputError(f"out: {arguments.out} is there already; name a new file, or edit that one")
    items = items_of(arguments.clips)
    seconds = min(clip.seconds for clip in read_clips(items, seconds=WINDOW_S))
    given = {
        "gains_db": arguments.gain_db and tuple(arguments.gain_db),
        "versions": arguments.versions and tuple(arguments.versions),
        "distance": 1 if len(items) > 2 else 0,
        **{name: getattr(arguments, name) for name in ("trial_type", "asked", "lists", "language", "seed")},
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    plan = StudyPlan(arguments.title, items, tuple(arguments.target), **chosen)
    trials = draw_lists(plan)[0]
    write_plan(arguments.out, plan)
    if round(seconds, 1) < WINDOW_S:
        print(f"the clips are only {seconds:.1f} s long; the model hears up to {WINDOW_S:g} s")
    print(
        f"{len(items)} clip{'' if len(items) == 1 else 's'}, {len(plan.conditions)} versions of each beside the "
        f"original; {plan.lists} lists of {len(trials)} trials, about {round(minutes_of(trials))} minutes for a "
        f"listener who hears all of every sound once\n"
        f"{arguments.out}: look at it, edit it, then: emomod study stimuli {arguments.out} --out study"
    )
    return 0


def execute_stimuli(arguments: argparse.Namespace) -> int:
    """Make the study; print what the model predicts."""
    from emomod.model.load import load_model
    from emomod.stages import Stages
    from listening_study.package import key_rows, make_study
    from listening_study.plan import read_plan

    plan = read_plan(arguments.plan)
    study = make_study(
        plan,
        arguments.out,
        predictor=load_model(arguments.model, device=arguments.device),
        components=arguments.components,
        method=method_settings(arguments),
        stages=Stages(announcer()),
    )
    finish_progress()
    print_json(key_rows(study)) if arguments.json else print(predictions(study))
    return 0


def predictions(study: Any) -> str:
    """What the model predicts that listeners hear, by condition, as a table for a terminal."""
    width = max(len(condition.name) for condition in study.plan.conditions)
    lines = [f"{'version':{width}}  predicted shift of its target, mean over clips (least, most)"]
    for condition in study.plan.conditions:
        shifts = [study.predicted(item.name, condition.name, condition.target) for item in study.plan.items]
        mean = sum(shifts) / len(shifts)
        lines.append(f"{condition.name:{width}}  {mean:+.3f} ({min(shifts):+.3f}, {max(shifts):+.3f})")
    lines.append(
        f"{len(study.stimuli)} sounds in {study.folder / 'stimuli'}; keep {study.folder / 'private'} to yourself"
    )
    return "\n".join(lines)
