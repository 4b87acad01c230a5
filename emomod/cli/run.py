"""emomod run: the whole job on one clip."""

import argparse
from pathlib import Path
from typing import Any

from emomod.cli.options import (
    add_clip,
    add_explanation,
    add_model,
    add_modification,
    add_output,
    add_seed,
    add_start,
    announcer,
    finish_progress,
    method_settings,
    modify_settings,
    print_json,
    resolved_name,
)
from emomod.errors import InputError
from emomod.labels import level_of

MAX_NAMED = 4  # other scores
WAYS = {"enhanced": "up", "weakened": "down"}


def add(commands: Any) -> None:
    """Explain a clip, write enhanced and weakened versions, re-score them, write a report."""
    parser = commands.add_parser("run", help=add.__doc__, description=add.__doc__)
    add_clip(parser)
    add_modification(parser)
    add_output(parser)
    add_start(parser)
    parser.add_argument("--all-windows", action="store_true", help="do every window, a folder each, and the whole file")
    add_seed(parser)
    add_explanation(parser)
    add_model(parser)
    parser.set_defaults(run=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Run the job and print its result."""
    from emomod.model.load import load_model
    from emomod.pipeline import RunSettings, run
    from emomod.stages import Stages
    from emomod.windows import run_windows

    if arguments.all_windows and arguments.start:
        raise InputError("--all-windows does every window, so that --start must not be given")
    settings = RunSettings(
        arguments.start, arguments.components, method_settings(arguments), modify_settings(arguments)
    )
    predictor = load_model(arguments.model, device=arguments.device)
    job: dict[str, Any] = {
        "target": resolved_name(arguments.target, predictor.names),
        "out": arguments.out,
        "settings": settings,
        "predictor": predictor,
        "stages": Stages(announcer()),
    }
    results = run_windows(arguments.clip, **job) if arguments.all_windows else [run(arguments.clip, **job)]
    records = []
    for result in results:
        finish_progress()
        if arguments.json:
            records.append(result.record)
        else:
            print(summary(result.record, result.folder), end="\n\n" if arguments.all_windows else "\n", flush=True)
    finish_progress()
    if arguments.json:
        print_json({"windows": records, "whole": _whole(arguments.out)} if arguments.all_windows else records[0])
    elif arguments.all_windows:
        print(whole_summary(_whole(arguments.out), arguments.out))
    return 0


def _whole(folder: Path) -> Any:
    """What whole.json holds."""
    from emomod.reading.json_files import read_object

    return read_object(folder / "whole.json")


def summary(record: dict[str, Any], folder: Any) -> str:
    """Return what a person wants to know of a run."""
    target, before = record["target"], record["predictions"]["before"]
    level = level_of(target)
    window = record["window"]
    heard = f"from {window['start']:.1f} s on, {window['seconds']:.1f} of {window['file_seconds']:.1f} s"
    lines = [record["sentence"], "", f"{target}: {before[level][target]:.3f} as it is ({heard})"]
    for version, shifts in record["shifts"].items():
        beaten = ", ".join(
            f"{100 * control['share_beaten']:.0f} % of {control['n']} ({kind})"
            for kind, control in record["controls"][version].items()
        )
        after = record["predictions"][version][level][target]
        lines.append(
            f"  {version:9} {after:.3f} ({shifts[target]:+.3f}), further {WAYS[version]} than random changes: {beaten}"
        )
        if others := record["moved_further"][version]:
            more = f" and {len(others) - MAX_NAMED} more" if len(others) > MAX_NAMED else ""
            lines.append(f"            but these moved at least as far: {', '.join(others[:MAX_NAMED])}{more}")
    lines += [record["precision_words"]] if record["precision_words"] else []
    lines += [f"note: {note}" for note in record["notes"]]
    lines += [f"warning: {warning}" for warning in record["warnings"]]
    return "\n".join([*lines, "", f"{folder}/report.html ({record['seconds']['total']:.0f} s)"])


def whole_summary(record: dict[str, Any], folder: Any) -> str:
    """Return what a person wants to know of the whole file."""
    target, level = record["target"], level_of(record["target"])
    scores = {version: levels[level][target] for version, levels in record["predictions"].items()}
    lines = [
        f"the whole file: {target} {scores['original']:.3f} as it is (mean of {record['n_heard']['original']} windows)"
    ]
    for version, shifts in record["shifts"].items():
        lines.append(f"  {version:9} {scores[version]:.3f} ({shifts[target]:+.3f})")
    if len(set(record["n_heard"].values())) > 1:
        heard = ", ".join(f"{n} in the {version}" for version, n in record["n_heard"].items())
        lines.append(f"warning: some windows are silent in one version only; the model heard {heard}")
    if record["static_gain_db"]:
        lines.append(f"note: all versions are lower by {-record['static_gain_db']:.1f} dB, so that none clips")
    return "\n".join([*lines, "", f"{folder}/original.wav enhanced.wav weakened.wav whole.csv"])
