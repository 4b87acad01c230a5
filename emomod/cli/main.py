"""Explain what a music-emotion model hears, change the sound, prove the change."""

import argparse
import os
import signal
import sys
from collections.abc import Mapping

from emomod import __version__
from emomod.cli import (
    batch,
    catalogue,
    compare,
    corpus,
    datasets,
    doctor,
    effects,
    evaluate,
    explain,
    modify,
    predict,
    replay,
    run,
    steer,
    store,
    study,
    taggram,
    train,
)
from emomod.cli.options import LOG_JSON, Parser, print_error
from emomod.cli.process import wait_quietly
from emomod.cli.telling import JsonTeller, TextTeller, telling
from emomod.errors import EmomodError

COMMANDS = (
    run,
    batch,
    store,
    predict,
    replay,
    taggram,
    explain,
    modify,
    steer,
    catalogue,
    effects,
    compare,
    corpus,
    datasets,
    train,
    evaluate,
    study,
    doctor,
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = Parser("emomod", description=__doc__)
    parser.add_argument("--version", action="version", version=f"emomod {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command", parser_class=Parser)
    for command in COMMANDS:
        command.add(commands)
    return parser


def _end(*_: object) -> None:
    """End like any other error would, so that nothing half-written stays behind."""
    raise SystemExit(143)


def main(argv: list[str] | None = None) -> int:
    """Run one command; return the exit code: 0, or 1 after one line on standard error."""
    wait_quietly()
    signal.signal(signal.SIGTERM, _end)
    words = sys.argv[1:] if argv is None else argv
    options = words[: words.index("--")] if "--" in words else words
    teller, code = JsonTeller() if LOG_JSON in options else TextTeller(), 1
    with telling(teller):
        try:
            code = _run(words)
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else code
            raise
        except Exception as error:
            if not teller.crash(error):
                raise
        finally:
            teller.end(code)
    return code


def _run(words: list[str]) -> int:
    """Run the command that ``words`` ask for, and tell the errors that a user can cause."""
    options: Mapping[str, str] = {}
    try:
        arguments = build_parser().parse_args(words)
        options = arguments.options
        code: int = arguments.run(arguments)
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (EmomodError, OSError) as error:
        print_error(error, options=options)
        return 1
    except MemoryError:
        print_error("there is not enough memory for this")
        return 1
    except KeyboardInterrupt:
        print_error("interrupted")
        return 130


if __name__ == "__main__":
    sys.exit(main())
