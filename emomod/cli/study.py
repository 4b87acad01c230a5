"""emomod study: from modified clips to what listeners heard."""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import (
    add_lime,
    add_model,
    announcer,
    clip_path,
    finish_progress,
    lime_settings,
    print_json,
    score_name,
)
from emomod.errors import InputError

SECONDS_TO_ANSWER = 5  # beside what is heard of a trial, for the estimate of how long a list takes


def add(commands: Any) -> None:
    """Plan a listening study and make its stimuli."""
    parser = commands.add_parser("study", help=add.__doc__, description=add.__doc__)
    jobs = parser.add_subparsers(required=True, metavar="JOB")
    design = jobs.add_parser("design", help="write the plan of a study, a file to look at and to edit")
    add_design_arguments(design)
    design.set_defaults(run=execute_design)
    stimuli = jobs.add_parser("stimuli", help="render all versions of a plan's clips behind a gate of checks")
    add_stimuli_arguments(stimuli)
    stimuli.set_defaults(run=execute_stimuli)
    analyse = jobs.add_parser("analyse", help="whether listeners heard what the model predicted: report and tables")
    add_analyse_arguments(analyse)
    analyse.set_defaults(run=execute_analyse)
    power = jobs.add_parser("power", help="how often a study of a size would find the agreement that is there")
    add_power_arguments(power)
    power.set_defaults(run=execute_power)


def add_design_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod study design``; what is left out has the plan's default."""
    parser.add_argument(
        "clips", nargs="+", type=clip_path, metavar="CLIP", help='sound files; "demo" is the bundled one'
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
    parser.add_argument("--title", default="A listening study", help="told to participants")
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
    add_lime(parser)
    add_model(parser)


def add_analyse_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod study analyse``."""
    parser.add_argument("study", type=Path, metavar="STUDY", help="the folder of `emomod study stimuli`")
    parser.add_argument("answers", type=Path, nargs="+", metavar="TABLE", help="tables of answers (CSV)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the report, made anew")
    parser.add_argument("--catch", type=float, default=0.75, metavar="P", help="least share of catch trials passed")
    parser.add_argument(
        "--repeat", type=float, metavar="P", help="least share of repeats answered alike (default: none)"
    )
    parser.add_argument("--headphones", action="store_true", help="the headphone check must have been passed")
    parser.add_argument("--seed", type=int, default=0, help="of bootstrap and permutations (default 0)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON on standard output")


def add_power_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod study power``."""
    parser.add_argument("--listeners", type=int, required=True, metavar="N")
    parser.add_argument("--clips", type=int, required=True, metavar="N", help="each enhanced and weakened")
    parser.add_argument("--trial-type", choices=("pair", "ccr"), default="pair", help="default: pair")
    parser.add_argument(
        "--sensitivity",
        type=float,
        default=0.5,
        metavar="S",
        help="how far an enhanced version is heard to move, over the spread of answers to one version (default .5)",
    )
    parser.add_argument("--studies", type=int, default=500, metavar="N", help="simulated studies (default 500)")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")


def execute_design(arguments: argparse.Namespace) -> int:
    """Write the plan and say what it comes to."""
    from listening_study.plan import StudyPlan, items_of, write_plan
    from listening_study.trials import draw_lists

    if arguments.out.exists():
        raise InputError(f"out: {arguments.out} is there already; name a new file, or edit that one")
    for clip in arguments.clips:
        if not clip.is_file():
            raise InputError(f"clips: {clip} is not a file")
    items = items_of(arguments.clips)
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
    seconds = sum(10 * len(trial.heard) + SECONDS_TO_ANSWER for trial in trials)
    print(
        f"{len(items)} clips, {len(plan.conditions)} versions of each beside the original; {plan.lists} lists of "
        f"{len(trials)} trials, about {round(seconds / 60)} minutes for a listener who hears all of every sound once\n"
        f"{arguments.out}: look at it, edit it, then: emomod study stimuli {arguments.out} --out study"
    )
    return 0


def execute_stimuli(arguments: argparse.Namespace) -> int:
    """Make the study; print what the model predicts."""
    from emomod.model.predictor import load_predictor
    from emomod.stages import Stages
    from listening_study.package import key_rows, make_study
    from listening_study.plan import read_plan

    plan = read_plan(arguments.plan)
    study = make_study(
        plan,
        arguments.out,
        predictor=load_predictor(arguments.checkpoint, device=arguments.device),
        lime=lime_settings(arguments),
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


def execute_analyse(arguments: argparse.Namespace) -> int:
    """Analyse and say where the report is."""
    import shlex

    from listening_study.analysis.exclusions import Rules
    from listening_study.analysis.findings import analyse
    from listening_study.analysis.report import write_analysis
    from listening_study.package import read_study
    from listening_study.table import read_table

    study = read_study(arguments.study)
    answers = [answer for path in arguments.answers for answer in read_table(path, study=study)]
    rules = Rules(
        least_catch_share=arguments.catch, least_repeat_share=arguments.repeat, headphones=arguments.headphones
    )
    found = analyse(study, answers, rules=rules, rng=arguments.seed)
    command = shlex.join(
        ["emomod", "study", "analyse", *map(str, [arguments.study, *arguments.answers, "--out", arguments.out])]
    )
    figures = write_analysis(
        arguments.out, study, found, rules=rules, command=command, inputs=[arguments.study, *arguments.answers]
    )
    print_json(figures) if arguments.json else print(findings(figures, arguments.out))
    return 0


def findings(figures: dict[str, Any], out: Path) -> str:
    """What was found, in a line for each attribute."""
    lines = [f"{figures['n_participants']} took part, {figures['n_excluded']} were left out by the rules"]
    lines += [
        f"{row['attribute']}: {row['sign_agreement']:.2f} [{row['sign_agreement_low']:.2f}, "
        f"{row['sign_agreement_high']:.2f}] of the answers go the predicted way, p = {row['p_value']:.4f}"
        for row in figures["agreement"]
    ]
    lines += [
        f"{row['condition']}: told from the original in {row['share']:.2f}, p = {row['p_value']:.4f}"
        for row in figures["detected"]
    ]
    lines += [f"not known: {name}: {why}" for name, why in figures["unknown"].items()]
    return "\n".join([*lines, f"{out}/report.html"])


def execute_power(arguments: argparse.Namespace) -> int:
    """Simulate studies and print how many find the agreement."""
    from listening_study.analysis.power import StudySize, power
    from listening_study.analysis.simulate import ListenerModel

    size = StudySize(arguments.listeners, arguments.clips, trial_type=arguments.trial_type)
    model = ListenerModel(sensitivity=arguments.sensitivity)
    found = power(size, model=model, rng=arguments.seed, n_studies=arguments.studies)
    print(
        f"{arguments.listeners} listeners, {arguments.clips} clips: {found.value:.2f} [{found.low:.2f}, "
        f"{found.high:.2f}] of {found.n_studies} simulated studies find the agreement (permutation test, p <= .05)"
    )
    return 0
