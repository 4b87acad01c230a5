"""emomod study analyse and power: what listeners heard, and how many of them it takes."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from emomod.cli.options import needs_extra, print_json


def add(jobs: Any) -> None:
    """The jobs after, and before, listeners are asked."""
    analyse = jobs.add_parser("analyse", help="whether listeners heard what the model predicted: report and tables")
    add_analyse_arguments(analyse)
    analyse.set_defaults(run=needs_extra(execute_analyse, extra="study"))
    power = jobs.add_parser("power", help="how often a study of a size would find the agreement that is there")
    add_power_arguments(power)
    power.set_defaults(run=needs_extra(execute_power, extra="study"))


def add_analyse_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod study analyse``."""
    parser.add_argument("study", type=Path, metavar="STUDY", help="the folder of `emomod study stimuli`")
    parser.add_argument("answers", type=Path, nargs="+", metavar="TABLE", help="tables of answers (CSV)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the report, made anew")
    parser.add_argument("--catch", type=float, metavar="P", help="least share of catch trials passed (default .75)")
    parser.add_argument(
        "--repeat", type=float, metavar="P", help="least share of repeats answered alike (default: none)"
    )
    parser.add_argument("--headphones", action="store_true", help="the headphone check must have been passed")
    parser.add_argument("--seed", type=int, default=0, help="of bootstrap and permutations (default 0)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON on standard output")


def add_power_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod study power``."""
    parser.add_argument("--listeners", type=int, required=True, dest="n_listeners", metavar="N")
    parser.add_argument(
        "--clips", type=int, required=True, dest="n_items", metavar="N", help="each enhanced and weakened"
    )
    parser.add_argument("--trial-type", choices=("pair", "ccr"), default="pair", help="default: pair")
    parser.add_argument(
        "--sensitivity",
        type=float,
        default=0.5,
        metavar="S",
        help="how far an enhanced version is heard to move, over the spread of answers to one version (default .5)",
    )
    parser.add_argument(
        "--studies", type=int, default=500, dest="n_studies", metavar="N", help="simulated studies (default 500)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: 0")


def execute_analyse(arguments: argparse.Namespace) -> int:
    """Analyse and say where the report is."""
    from listening_study.analysis.exclusions import Rules
    from listening_study.analysis.findings import analyse
    from listening_study.analysis.report import write_analysis
    from listening_study.package import read_study
    from listening_study.table import read_table

    study = read_study(arguments.study)
    answers = [answer for path in arguments.answers for answer in read_table(path, study=study)]
    given = {"least_catch_share": arguments.catch, "least_repeat_share": arguments.repeat}
    rules = Rules(
        headphones=arguments.headphones, **{name: value for name, value in given.items() if value is not None}
    )
    found = analyse(study, answers, rules=rules, rng=arguments.seed)
    figures = write_analysis(
        arguments.out, study, found, seed=arguments.seed, command=command_of(arguments), inputs=arguments.answers
    )
    print_json(figures) if arguments.json else print(findings(figures, arguments.out))
    return 0


def command_of(arguments: argparse.Namespace) -> str:
    """The command that gives this report."""
    words = ["emomod", "study", "analyse", arguments.study, *arguments.answers, "--out", arguments.out]
    for name in ("catch", "repeat"):
        if getattr(arguments, name) is not None:
            words += [f"--{name}", getattr(arguments, name)]
    words += ["--headphones"] if arguments.headphones else []
    return shlex.join(map(str, [*words, "--seed", arguments.seed]))


def findings(figures: dict[str, Any], out: Path) -> str:
    """What was found, in a line for each attribute."""
    lines = [f"{figures['n_participants']} took part, {figures['n_excluded']} were left out by the rules"]
    lines += [
        f"{row['attribute']}: {row['sign_agreement']:.2f} [{row['sign_agreement_low']:.2f}, "
        f"{row['sign_agreement_high']:.2f}] of the answers go the predicted way, p {_p(row['p_value'])}"
        for row in figures["agreement"]
    ]
    lines += [
        f"{row['condition']}: told from the original in {row['share']:.2f}, p {_p(row['p_value'])}"
        for row in figures["detected"]
    ]
    lines += [f"not known: {name}: {why}" for name, why in figures["unknown"].items()]
    return "\n".join([*lines, f"{out}/report.html"])


def _p(value: float | None) -> str:
    return "not known" if value is None else f"= {value:.4f}"


def execute_power(arguments: argparse.Namespace) -> int:
    """Simulate studies and print how many find the agreement."""
    from listening_study.analysis.power import StudySize, power
    from listening_study.analysis.simulate import ListenerModel

    size = StudySize(arguments.n_listeners, arguments.n_items, trial_type=arguments.trial_type)
    model = ListenerModel(sensitivity=arguments.sensitivity)
    found = power(size, model=model, rng=arguments.seed, n_studies=arguments.n_studies)
    print(
        f"{size.n_listeners} listeners, {size.n_items} clips: {found.value:.2f} [{found.low:.2f}, "
        f"{found.high:.2f}] of {found.n_studies} simulated studies find the agreement (permutation test, p <= .05)"
    )
    return 0
