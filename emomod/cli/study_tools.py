"""emomod study export and import: a study in another tool, and its results back."""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import needs_extra
from emomod.errors import InputError

TOOLS = {  # by the name on the command line: the module that writes and reads its files
    "jspsych": "jspsych",
    "webmushra": "webmushra",
    "psychopy": "psychopy",
    "label-studio": "label_studio",
    "csv": "plain_csv",
}
OPTIONS = {"jspsych": "jspsych", "url_prefix": "label-studio", "listeners": "webmushra"}  # of one tool's export alone


def add(jobs: Any) -> None:
    """The jobs with other tools."""
    export = jobs.add_parser("export", help="the study for jsPsych, webMUSHRA, PsychoPy, Label Studio, or as CSV")
    add_export_arguments(export)
    export.set_defaults(run=needs_extra(execute_export, extra="study"))
    collect = jobs.add_parser("import", help="the results of another tool as one table of answers")
    add_import_arguments(collect)
    collect.set_defaults(run=needs_extra(execute_import, extra="study"))


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod study export``."""
    parser.add_argument("study", type=Path, metavar="STUDY", help="the folder of `emomod study stimuli`")
    parser.add_argument("--to", choices=TOOLS, required=True, help="the tool")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder; a README in it says how")
    parser.add_argument("--jspsych", type=Path, metavar="DIR", help="of jspsych: its npm package, to be copied in")
    parser.add_argument("--listeners", type=int, metavar="N", help="of webmushra: configs (default: one for each list)")
    parser.add_argument("--url-prefix", metavar="URL", help="of label-studio: where it will find the sounds")


def add_import_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod study import``."""
    parser.add_argument("study", type=Path, metavar="STUDY", help="the folder of `emomod study stimuli`")
    parser.add_argument("results", type=Path, nargs="+", metavar="FILE", help="what the tool wrote")
    parser.add_argument("--from", dest="tool", choices=TOOLS, required=True, help="the tool")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the table of answers, a new CSV file")


def execute_export(arguments: argparse.Namespace) -> int:
    """Write the study for a tool."""
    from importlib import import_module

    from listening_study.package import read_study

    given = {name: value for name in OPTIONS if (value := getattr(arguments, name)) is not None}
    for name in given:
        if arguments.to != OPTIONS[name]:
            raise InputError(f"--{name.replace('_', '-')} belongs to --to {OPTIONS[name]}, got --to {arguments.to}")
    study, name = read_study(arguments.study), TOOLS[arguments.to]
    getattr(import_module(f"listening_study.exporters.{name}"), f"export_{name}")(study, arguments.out, **given)
    print(f"{arguments.out}: see README there")
    return 0


def execute_import(arguments: argparse.Namespace) -> int:
    """Read a tool's results and write the table of answers."""
    from importlib import import_module

    from listening_study.package import read_study
    from listening_study.table import write_table

    if arguments.out.exists():
        raise InputError(f"out: {arguments.out} is there already; name a new file")
    study, name = read_study(arguments.study), TOOLS[arguments.tool]
    answers = getattr(import_module(f"listening_study.importers.{name}"), f"import_{name}")(study, arguments.results)
    write_table(arguments.out, answers)
    sessions = {answer.session for answer in answers}
    print(f"{arguments.out}: {len(answers)} answers; sessions: {len(sessions)}")
    return 0
