"""The lowest versions that pyproject.toml allows, as requirements to install: python scripts/minimum.py EXTRA ...

What is printed pins the dependencies, those of the named extras, and the packages named by --also, to exactly their
lower bounds. ``--instead NAME==VERSION`` takes another version of one of them, and the first line says so.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)(?P<extras>\[[\w, -]+\])?(>=|==)(?P<version>[\w.]+)(\s*;.*)?"
)  # with a system or not
OWN = re.compile(r"emomod\[(?P<extras>[\w, -]+)\]")


def lower_bounds(project: Mapping[str, object], extras: Iterable[str], also: Iterable[str] = ()) -> dict[str, str]:
    """Return the lowest version by name of what ``project``, pyproject's table of that name, requires with ``extras``.

    ``also`` are single packages of any extra. SystemExit names what has no lower bound, or two that differ.
    """
    optional: Mapping[str, list[str]] = project["optional-dependencies"]  # type: ignore[assignment]
    required: list[str] = list(project["dependencies"])  # type: ignore[call-overload]
    wanted = [*extras]
    for extra in wanted:  # grows while it is gone through, since an extra can name others
        if extra not in optional:
            raise SystemExit(f"minimum: there is no extra {extra!r} in pyproject.toml")
        for text in optional[extra]:
            own = OWN.fullmatch(text)
            if own is None:
                required.append(text)
            else:
                wanted += [name for name in re.split(r",\s*", own["extras"]) if name not in wanted]
    every = [text for texts in optional.values() for text in texts if not OWN.fullmatch(text)]
    return _bounds(required) | {name: _bounds(every)[name] for name in also}


def _bounds(required: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in required:
        parts = REQUIREMENT.fullmatch(text)
        if parts is None:
            raise SystemExit(f"minimum: {text!r} has no lower bound such as >=1.2")
        if found.setdefault(parts["name"], parts["version"]) != parts["version"]:
            raise SystemExit(
                f"minimum: {parts['name']} has two lower bounds, {found[parts['name']]} and {parts['version']}"
            )
    return found


def main(argv: list[str] | None = None) -> int:
    """Print the requirements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extras", nargs="*", metavar="EXTRA", help="of pyproject.toml")
    parser.add_argument("--also", nargs="*", default=[], metavar="NAME", help="single packages of any extra")
    parser.add_argument("--instead", nargs="*", default=[], metavar="NAME==VERSION", help="take this one after all")
    arguments = parser.parse_args(argv)
    with PROJECT.open("rb") as file:
        bounds = lower_bounds(tomllib.load(file)["project"], arguments.extras, arguments.also)
    for text in arguments.instead:
        name, _, version = text.partition("==")
        if name not in bounds or not version:
            raise SystemExit(f"minimum: --instead must name one of {', '.join(bounds)}, as NAME==VERSION; got {text!r}")
        print(f"# {name}: {version} instead of its lower bound {bounds[name]}")
        bounds[name] = version
    sys.stdout.writelines(f"{name}=={version}\n" for name, version in sorted(bounds.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
