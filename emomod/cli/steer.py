"""emomod steer: ask for a shift of a score, get a clip that has it, changed as little as possible."""

import argparse
from typing import Any

from emomod.cli.options import (
    DEFAULT,
    add_clip,
    add_model,
    add_output,
    add_seed,
    add_start,
    announcer,
    clip_path,
    finish_progress,
    print_json,
    resolved_name,
)
from emomod.errors import InputError

MOST_NAMED = 3  # other scores that moved
PRESET_SHIFT = 0.1  # of "enhance NAME" and "weaken NAME"
WORDS = {"enhance": PRESET_SHIFT, "weaken": -PRESET_SHIFT}


def add(commands: Any) -> None:
    """Find gains that shift scores as asked, write the clip, re-score it, and account for it."""
    parser = commands.add_parser("steer", help=add.__doc__, description=add.__doc__)
    add_clip(parser)
    wish = parser.add_argument_group("request")
    wish.add_argument(
        "--shift",
        "--emotion",
        "--feature",
        dest="shifts",
        action="append",
        default=[],
        metavar="NAME=SHIFT",
        help='such as happy=+0.15, energy=max or tension=min; or "weaken tension", which is tension=-0.1; any number',
    )
    wish.add_argument("--hold", nargs="+", default=[], metavar="NAME", help="scores that should stay")
    wish.add_argument("--like", type=clip_path, metavar="CLIP", help="come near to another clip's mid-level features")
    wish.add_argument(
        "--max-gain-db", type=float, default=9.0, metavar="DB", help="of any part, up and down (default 9)"
    )
    wish.add_argument(
        "--budget-db", type=float, metavar="DB", help="most change of all that is audible, root mean square"
    )
    wish.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="LOW-HIGH=DB",
        help="less for parts between two frequencies, such as 20-200=3; any number",
    )
    wish.add_argument("--most-changed", type=int, metavar="N", help="parts that are changed at most")
    wish.add_argument(
        "--smooth",
        type=float,
        dest="smoothness",
        default=0.0,
        metavar="W",
        help="how alike neighbours should be (default 0)",
    )
    wish.add_argument("--nearest", action="store_true", help="take what comes nearest where the request cannot be met")
    wish.add_argument("--robust", action="store_true", help="search with other models and the sound cut elsewhere, too")
    how = parser.add_argument_group("how")
    how.add_argument("--components", default=DEFAULT, help="how the sound is cut; see emomod components")
    how.add_argument(
        "--masks",
        type=int,
        dest="n_perturbations",
        default=2048,
        metavar="N",
        help="mixtures for the first guess (default 2048)",
    )
    how.add_argument(
        "--second",
        nargs="+",
        metavar="MODEL",
        help="other models that hear the result (default: those that ship beside the default model)",
    )
    how.add_argument(
        "--steps", type=int, dest="n_steps", metavar="N", help="also write N growing shares of the request, for a study"
    )
    how.add_argument("--bits", type=int, default=24, help="of the written files: 16 or 24 (default)")
    add_start(parser)
    add_output(parser)
    add_seed(parser)
    add_model(parser)
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Steer, and print what it came to."""
    from emomod.attribution.lime import LimeSettings
    from emomod.model.load import load_model
    from emomod.output import check_output
    from emomod.stages import Stages
    from emomod.steering.settings import SteerSettings
    from emomod.steering_job import steer

    check_output(arguments.out, inputs=[arguments.clip])
    settings = SteerSettings(
        start=arguments.start,
        components=arguments.components,
        lime=LimeSettings(n_perturbations=arguments.n_perturbations, seed=arguments.seed),
        robust=arguments.robust,
        write_steps=arguments.n_steps is not None,
        n_steps=SteerSettings.n_steps if arguments.n_steps is None else arguments.n_steps,
        bits=arguments.bits,
        seed=arguments.seed,
    )
    predictor = load_model(arguments.model, device=arguments.device)
    request = _request(arguments, predictor)
    second = arguments.second
    companions = [load_model(each, device=arguments.device) for each in second] if second else None
    steered = steer(
        arguments.clip,
        request,
        out=arguments.out,
        settings=settings,
        predictor=predictor,
        companions=companions,
        stages=Stages(announcer()),
    )
    finish_progress()
    if arguments.json:
        print_json(steered.record)
    else:
        print(summary(steered))
    return 0


def _request(arguments: argparse.Namespace, predictor: Any) -> Any:
    """The Request that the arguments ask for."""
    from emomod.steering.likeness import shifts_like
    from emomod.steering.request import Request, parse_limit

    hold = tuple(resolved_name(name, predictor.names) for name in arguments.hold)
    common: dict[str, Any] = {
        "max_gain_db": arguments.max_gain_db,
        "budget_db": arguments.budget_db,
        "limits": tuple(parse_limit(text) for text in arguments.limit),
        "most_changed": arguments.most_changed,
        "smoothness": arguments.smoothness,
        "nearest": arguments.nearest or arguments.like is not None,
    }
    if arguments.like:
        if arguments.shifts:
            raise InputError("--like names a clip to come near to, so that no --shift must be given")
        shifts = shifts_like(arguments.clip, arguments.like, predictor=predictor, start=arguments.start)
        wanted = {name: shift for name, shift in shifts.items() if name not in hold}
        return Request(wanted, hold, like=str(arguments.like), **common)
    if not arguments.shifts:
        raise InputError("--shift or --like must say what is asked, such as --shift happy=+0.15")
    named = [_shift(text, predictor.names) for text in arguments.shifts]
    if twice := {name for name, _ in named if [each for each, _ in named].count(name) > 1}:
        raise InputError(f"--shift must name a score once, got {', '.join(sorted(twice))} twice")
    return Request(dict(named), hold, **common)


def _shift(text: str, names: tuple[str, ...]) -> tuple[str, float]:
    """A score and its shift, of a text or of words such as "weaken tension"."""
    from emomod.steering.request import parse_shift

    word, _, rest = text.strip().partition(" ")
    if word in WORDS and rest:
        return resolved_name(rest, names), WORDS[word]
    name, shift = parse_shift(text)
    return resolved_name(name, names), shift


def summary(steered: Any) -> str:
    """Return what a person wants to know of a steered clip."""
    record = steered.record
    lines = [record["sentence"], ""]
    for name, reached in record["reached"].items():
        asked = record["requested"][name]
        wanted = asked if isinstance(asked, str) else f"{asked:+.3f}"
        lines.append(f"{name:18} {reached:+.3f} (asked: {wanted})")
    lines += [f"{name:18} {shift:+.3f} (asked to stay)" for name, shift in record["held"].items()]
    told = {**record["reached"], **record["held"]}
    others = {name: shift for name, shift in record["shifts"].items() if name not in told}
    moved = sorted(others, key=lambda name: -abs(others[name]))[:MOST_NAMED]
    if moved:
        lines.append(f"{'others that moved':18} {', '.join(f'{name} {others[name]:+.3f}' for name in moved)}")
    lines += [*_change(record), *_elsewhere(steered)]
    return "\n".join([*lines, "", f"{steered.folder}/report.html steered.wav ({record['seconds']['total']:.0f} s)"])


def _change(record: dict[str, Any]) -> list[str]:
    """How the parts were mixed, where they have names, and how large the change is."""
    from emomod.report.steer_words import mixing_words

    cost = record["cost"]
    heard = f"; ViSQOL {cost['mos_lqo']:.2f} of 5" if cost["mos_lqo"] is not None else ""
    size = f"{record['size_db']:.1f} dB root mean square gain; spectral distance {cost['spectral_distance_db']:.1f} dB"
    mix = [f"{'the mix':18} {mixing_words(record['mix'])}"] if record["mix"] else []
    return [*mix, f"{'size of the change':18} {size}{heard}"]


def _elsewhere(steered: Any) -> list[str]:
    """How much of the shift other changes bring that are as large, and what is left of it elsewhere."""
    from emomod.report.steer_words import middle_random, percent, share_of

    controls = steered.controls
    said = f"random parts {percent(share_of(middle_random(steered), steered))} (the middle of {len(controls.random)})"
    if controls.equaliser:
        said += f", an equaliser that was asked the same {percent(share_of(controls.equaliser.shift, steered))}"
    ways = ", ".join(f"{percent(share_of(shift, steered))} ({way})" for way, shift in steered.lasting.items())
    lines = [f"{'as large elsewhere':18} {said}", f"{'of it is left':18} {ways}"]
    for each in steered.transfers:
        used = ", which took part in the search" if each.used else ""
        lines.append(f"{'heard by others':18} {percent(share_of(each.shift, steered))} ({each.model}{used})")
    if not steered.transfers:
        lines.append(f"{'heard by others':18} not known: no other model was at hand, it may be of this one alone")
    return lines
