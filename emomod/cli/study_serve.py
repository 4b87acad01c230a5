"""emomod study serve: the study as a web page for participants, from this computer."""

import argparse
import os
import socket
from pathlib import Path
from typing import Any

from emomod.cli.options import needs_extra
from emomod.errors import InputError

TOKEN = "EMOMOD_STUDY_TOKEN"


def add(jobs: Any) -> None:
    """The job that runs until it is stopped."""
    serve = jobs.add_parser("serve", help="run the study as a web page; every answer is stored when it is given")
    add_serve_arguments(serve)
    serve.set_defaults(run=needs_extra(execute_serve, extra="study"))


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod study serve``."""
    parser.add_argument("study", type=Path, metavar="STUDY", help="the folder of `emomod study stimuli`")
    parser.add_argument(
        "--db",
        default="sqlite:///study.db",
        metavar="URL",
        help="where answers are kept: sqlite:///FILE (default: study.db here) or postgresql://USER@HOST/NAME",
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this computer alone")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000")
    parser.add_argument("--heading", default="", help="of the page (default: a neutral one)")
    parser.add_argument("--consent", type=Path, metavar="FILE", help="text that participants agree to")
    parser.add_argument("--contact", default="", metavar="TEXT", help="whom the default consent names for questions")
    parser.add_argument(
        "--resume-hours", type=float, default=168.0, metavar="H", help="how long one may stay away (default: a week)"
    )
    parser.add_argument("--webmushra", action="store_true", help="also keep what webMUSHRA pages send")
    parser.add_argument("--no-headphone-check", action="store_true", help="do not test for headphones")


def execute_serve(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from listening_study.server.serve import new_token, serve
    from listening_study.server.settings import ServeSettings

    token = os.environ.get(TOKEN) or new_token()
    settings = ServeSettings(
        heading=arguments.heading,
        consent=_text(arguments.consent),
        contact=arguments.contact,
        resume_hours=arguments.resume_hours,
        webmushra=arguments.webmushra,
        headphone_trials=0 if arguments.no_headphone_check else ServeSettings.headphone_trials,
    )

    def announce(port: int) -> None:
        address = f"http://{named(arguments.host)}:{port}"
        print(
            f"participants:  {address}/\nexperimenter:  {address}/experimenter\ntoken:         {token}\n"
            f"(another token: set {TOKEN}; stop with Ctrl-C, and start again: nothing is lost)",
            flush=True,
        )

    serve(
        arguments.study,
        token=token,
        db=arguments.db,
        host=arguments.host,
        port=arguments.port,
        settings=settings,
        ready=announce,
    )
    return 0


def named(host: str) -> str:
    """How ``host`` stands in an address; all of this computer's addresses by its name."""
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"consent: {path} cannot be read ({error})") from None
