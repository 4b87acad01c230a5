"""What the commands of the evaluation do: run experiments, write their tables and a summary."""

import argparse
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emomod.checks import check_choice
from emomod.errors import InputError
from emomod.model.predictor import load_predictor
from emomod.output import to_json, write_csv
from emomod.provenance import package_versions
from emomod.training.sense import synthesiser_at_hand
from evaluation.cases import file_cases, rendered_cases, settings_of_cases
from evaluation.experiments import EXPERIMENTS, Job
from evaluation.preset import preset_of
from evaluation.report import read_results, write_report
from evaluation.store import Rows, Store
from evaluation.summary import smallest_counts, summarise


def run(arguments: argparse.Namespace, log: Callable[[str], None]) -> dict[str, Any]:
    """Run the experiments that ``arguments`` name; return what they found.

    In ``out`` are a CSV for each, summary.json, report.html and report.md, which "report" makes again from the others.
    """
    if arguments.experiment == "report":
        write_report(arguments.out, command=command_of(arguments))
        return read_results(arguments.out)[0]
    preset = preset_of(arguments.preset)
    predictor = load_predictor(arguments.checkpoint, device=arguments.device)
    scores = None if arguments.scores is None else str(arguments.scores)
    corpus = settings_of_cases(synthesiser_at_hand(), scores=scores)
    record = {
        "preset": arguments.preset,
        "settings": asdict(preset),
        "model": {"name": predictor.checkpoint.card["name"], "sha256": predictor.checkpoint.sha256},
        "clips": [path.name for path in arguments.clip],
        "scores": Path(scores).name if scores else None,
        "synthesiser": corpus.synthesiser,
        "versions": package_versions(),
    }
    given = file_cases(arguments.clip, device=predictor.device)
    store = Store(arguments.out, record)
    cases = [*given, *rendered_cases(preset.n_clips, corpus, device=predictor.device)]
    job = Job(predictor, cases, corpus, preset, store, log)
    names = tuple(EXPERIMENTS) if arguments.experiment == "all" else (arguments.experiment,)
    tables = {name: EXPERIMENTS[check_choice("experiment", name, tuple(EXPERIMENTS))](job) for name in names}
    summary = write_results(arguments.out, tables, record)
    write_report(arguments.out, command=command_of(arguments))
    return summary


def command_of(arguments: argparse.Namespace) -> str:
    """The command that gives these results."""
    words = ["emomod", "evaluate", arguments.experiment, "--preset", arguments.preset, "--out", arguments.out]
    for name in ("clip", "scores", "checkpoint"):
        value = getattr(arguments, name)
        if value:
            words += [f"--{name}", *(value if isinstance(value, list) else [value])]
    return shlex.join(str(word) for word in words)


def write_results(folder: Path, tables: dict[str, Rows], record: dict[str, Any]) -> dict[str, Any]:
    """Write a CSV a table and summary.json into ``folder``; return the summary."""
    for name, rows in tables.items():
        write_csv(folder / f"{name}.csv", _same_keys(rows))
    summary = {"made": datetime.now(UTC).date().isoformat(), **record, **summarise(tables)}
    if "stability" in tables:
        summary["smallest_counts"] = smallest_counts(tables["stability"])
    (folder / "summary.json").write_text(to_json(summary) + "\n", encoding="utf-8")
    return summary


def _same_keys(rows: Rows) -> Rows:
    """Rows with all keys that any of them has, in the order of their first appearance."""
    if not rows:
        raise InputError("an experiment must give at least one row")
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return [{key: row.get(key) for key in keys} for row in rows]


def told(summary: dict[str, Any], columns: Sequence[str] = ("direction_rate", "control_p", "confounder_rate")) -> str:
    """What a person wants to know of a summary, in a few lines."""
    lines = []
    for name in columns:
        if name in summary:
            value = summary[name]
            shown = value if not isinstance(value, dict) else f"{value['value']} [{value['low']}, {value['high']}]"
            lines.append(f"{name}: {shown}")
    for feature, value in summary.get("truth_auc", {}).items():
        lines.append(f"truth AUC of {feature}: {value['value']:.2f}")
    return "\n".join(lines)
