"""emomod components and emomod methods: what there is to explain with."""

import argparse
import textwrap
from collections.abc import Callable
from typing import Any

from emomod.cli.options import print_json

WIDTH = 120  # characters of a line


def add(commands: Any) -> None:
    """Add both commands; each prints a list."""
    for name, what, list_all in (
        ("components", "List the ways to cut a sound into components.", _components),
        ("methods", "List the ways to weigh components.", _methods),
    ):
        parser = commands.add_parser(name, help=what, description=what)
        parser.add_argument("--json", action="store_true", help="print the list as JSON on standard output")
        parser.set_defaults(run=_printer(list_all))


def _components() -> list[dict[str, Any]]:
    from emomod.components.kinds import describe

    return describe()


def _methods() -> list[dict[str, Any]]:
    from emomod.attribution.methods import describe

    return describe()


def _printer(list_all: Callable[[], list[dict[str, Any]]]) -> Callable[[argparse.Namespace], int]:
    def execute(arguments: argparse.Namespace) -> int:
        entries = list_all()
        print_json(entries) if arguments.json else print("\n".join(paragraph(entry) for entry in entries))
        return 0

    return execute


def paragraph(entry: dict[str, Any]) -> str:
    """Return an entry as a person reads it: its name and options as they are typed, then what it is."""
    told = [option for option in entry["options"] if option["default"] not in (None, "")]
    options = ",".join(f"{option['name']}={option['default']}" for option in told)
    lines = [f"{entry['name']}:{options}" if options else entry["name"], f"    {entry['summary']}."]
    titles = {"assumes": "Assumes: ", "uncertainty": "Uncertainty: ", "reference": ""}
    lines += [f"    {title}{entry[key]}" for key, title in titles.items() if entry.get(key)]
    wrapped = [lines[0], *(textwrap.fill(line, width=WIDTH, subsequent_indent="    ") for line in lines[1:])]
    return "\n".join(wrapped) + "\n"
