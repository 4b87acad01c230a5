"""Options and output that commands share."""

import argparse
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from emomod.cli.telling import present
from emomod.data import demo_clip
from emomod.errors import InputError
from emomod.stages import Announce

LONGEST = 1000  # characters of an error that are shown
MOST_MASKS = 50_000  # where a precision is asked for: what the 2019 system always took
LOG_JSON = "--log-json"  # before or after a command
SETTINGS = ("precision", "n_perturbations", "design", "off", "batch_size")  # of methods that have options of their own
DEFAULT = "felzenszwalb"  # components; emomod.components.kinds has the same, but takes long to load


class Parser(argparse.ArgumentParser):
    """An argument parser that reports wrong usage like any other bad input: one line."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **({"allow_abbrev": False} | settings))
        self.add_argument(LOG_JSON, action="store_true", default=argparse.SUPPRESS, help="tell progress as JSON lines")
        self._negative_number_matcher = re.compile(r"-\d+(\.\d+)?(\s*dB)?$")  # that -6dB is no option either

    def parse_known_args(self, *given: Any) -> Any:  # type: ignore[override]
        """As argparse does; ``options`` of the result are the names of options by those of Python's arguments."""
        found, rest = super().parse_known_args(*given)
        own = {action.dest: action.option_strings[0] for action in self._actions if action.option_strings}
        found.options = own | getattr(found, "options", {})
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Raise InputError with the command's name."""
        raise InputError(f"{message} (see {self.prog} --help)")


def in_options(message: str, options: Mapping[str, str]) -> str:
    """What must hold for an argument of Python, said of the option by which the user gave it.

    >>> in_options("n_controls must be at least 1, got 0", {"n_controls": "--controls"})
    '--controls must be at least 1, got 0'
    """
    name, must, rule = message.partition(" must ")
    return f"{options[name]}{must}{rule}" if must and name in options else message


def clip_path(name: str) -> Path:
    """Return the path of a clip; "demo" is the clip that ships with emomod, unless there is a file of that name."""
    if name == "demo" and not Path(name).is_file():
        return demo_clip()
    return Path(name)


def add_clip(parser: argparse.ArgumentParser) -> None:
    """The clip and its window."""
    parser.add_argument(
        "clip", type=clip_path, metavar="CLIP", help='wav, flac, ogg or mp3; "demo" is the bundled clip'
    )


def add_start(parser: argparse.ArgumentParser) -> None:
    """Where the window begins."""
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="where the window begins (default 0)")


def add_model(parser: argparse.ArgumentParser) -> None:
    """The model and where it runs."""
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="other than the one that ships: a checkpoint, FILE.onnx, MODULE:NAME, FILE.py:NAME",
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda where there is one")


def add_output(parser: argparse.ArgumentParser, *, folder: bool = True) -> None:
    """Where results go."""
    if folder:
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results, made anew")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def add_seed(parser: argparse.ArgumentParser) -> None:
    """The seed."""
    parser.add_argument("--seed", type=int, default=0, help="of masks and controls (default 0)")


def add_explanation(parser: argparse.ArgumentParser) -> None:
    """How the sound is cut and its components are weighed; defaults are those of LimeSettings."""
    group = parser.add_argument_group("explanation")
    group.add_argument(
        "--components",
        default=DEFAULT,
        help='how the sound is cut, such as "grid" or "hpss x beats"; see emomod components',
    )
    group.add_argument(
        "--method", help="how components are weighed: lime (default), occlusion, ...; see emomod methods"
    )
    group.add_argument("--preset", choices=("default", "parity"), default="default", help="parity: as the 2019 system")
    group.add_argument(
        "--masks", type=int, dest="n_perturbations", metavar="N", help="mixtures that the model scores (default 2048)"
    )
    group.add_argument(
        "--precision",
        type=float,
        metavar="E",
        help="score as many as lime needs for weights with this relative error, such as 0.05; --masks at most "
        f"(default {MOST_MASKS})",
    )
    group.add_argument("--design", help="of lime's masks: iid, paired, hadamard (default) or exhaustive")
    group.add_argument(
        "--off",
        help="what a component that is off is: cut by 6dB (default), 12dB, ..., silence, mean, noise_floor, background",
    )
    group.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help="mixtures scored at a time; changes no result (default: what suits the device)",
    )


def score_name(text: str) -> str:
    """Return a score's name as the code writes it; case, spaces and hyphens do not matter."""
    return text.strip().lower().replace(" ", "_").replace("-", "_")


def resolved_name(text: str, names: Sequence[str]) -> str:
    """Return the name that is meant by ``text``: itself, or the only one that differs in case, blanks and hyphens."""
    alike = [name for name in names if score_name(name) == score_name(text)]
    return alike[0] if text not in names and len(alike) == 1 else text


def add_rule(parser: Any) -> None:
    """Which components stand out."""
    parser.add_argument(
        "--rule",
        help="which stand out: bh:0.05 (default), ratio:1e-6, top:30 or highest:1; without p-values highest:N",
    )


def selection_rule(arguments: argparse.Namespace) -> str:
    """Return the selection rule that the arguments ask for; empty for the default of the method."""
    return arguments.rule or ("ratio:1e-6" if getattr(arguments, "preset", "default") == "parity" else "")


def add_modification(parser: argparse.ArgumentParser) -> None:
    """What is turned up and down."""
    parser.add_argument(
        "--target", required=True, metavar="NAME", help="the score to change: a mid-level feature, an emotion, a tag"
    )
    group = parser.add_argument_group("modification")
    group.add_argument("--gain-db", type=float, default=6.0, metavar="DB", help="up and down by this much (default 6)")
    group.add_argument("--sides", default="positive", help="components that change: positive (default), negative, both")
    add_rule(group)
    group.add_argument("--bits", type=int, default=24, help="of the written files: 16 or 24 (default)")
    group.add_argument(
        "--controls",
        type=int,
        dest="n_controls",
        default=99,
        metavar="N",
        help="random changes to compare with (default 99)",
    )


def method_settings(arguments: argparse.Namespace) -> Any:
    """Return the settings of the method that the arguments ask for."""
    from dataclasses import fields, replace

    from emomod.attribution.lime import PARITY, LimeSettings
    from emomod.attribution.methods import name_of, parse_method

    if arguments.preset == "parity" and arguments.method:
        raise InputError("--preset parity is a setting of lime, so that --method must not be given")
    settings = parse_method(arguments.method) if arguments.method else LimeSettings()
    settings = PARITY if arguments.preset == "parity" else settings
    known = {field.name for field in fields(settings)}
    changes = {name: getattr(arguments, name) for name in SETTINGS}
    if arguments.precision is not None and "n_perturbations=" not in (arguments.method or ""):
        changes["n_perturbations"] = arguments.n_perturbations or MOST_MASKS
    for name, value in changes.items():
        if value is not None and name not in known:
            raise InputError(f"{arguments.options[name]} is no setting of {name_of(settings)}")
    seed = {"seed": arguments.seed} if "seed" in known and "seed=" not in (arguments.method or "") else {}
    return replace(settings, **{name: value for name, value in changes.items() if value is not None}, **seed)


def modify_settings(arguments: argparse.Namespace) -> Any:
    """Return the ModifySettings that the arguments ask for."""
    from emomod.pipeline import ModifySettings

    return ModifySettings(
        gain_db=arguments.gain_db,
        sides=arguments.sides,
        rule=selection_rule(arguments),
        bits=arguments.bits,
        n_controls=arguments.n_controls,
        seed=arguments.seed,
    )


def announcer() -> Announce:
    """Return what tells the events of stages on standard error, as text or JSON."""
    return present().announcer()


def finish_progress() -> None:
    """End the line that progress was written on."""
    present().clear()


def print_progress(line: str) -> None:
    """Progress goes to standard error."""
    present().line(line)


def print_error(error: Exception | str, *, options: Mapping[str, str] = MappingProxyType({})) -> None:
    """Tell on standard error what went wrong, in one line without control characters, cut where it is very long.

    ``options``: the names of options by those of Python's arguments.
    """
    message = "".join(letter if letter.isprintable() else " " for letter in in_options(str(error), options))
    if len(message) > LONGEST:
        message = f"{message[:LONGEST]} ... ({len(message)} characters)"
    present().error(message, kind="problem" if isinstance(error, str) else type(error).__name__)


def needs_extra(run: Callable[[argparse.Namespace], int], *, extra: str) -> Callable[[argparse.Namespace], int]:
    """``run``, telling in one line which extra of emomod brings a package that is not there."""

    def told(arguments: argparse.Namespace) -> int:
        try:
            return run(arguments)
        except ModuleNotFoundError as error:
            missing = str(error.name).partition(".")[0]
            advice = f'python -m pip install "emomod[{extra}]"'
            raise InputError(f"{missing} was not found; install it with: {advice}") from None

    return told


def print_json(value: Any) -> None:
    """Print ``value`` as JSON on standard output."""
    from emomod.output import finite

    print(json.dumps(finite(value), indent=1, allow_nan=False))
