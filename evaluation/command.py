"""What the commands of the evaluation do: run experiments, write their tables and a summary."""

import argparse
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emomod.audio import file_sha256
from emomod.corpus.render import open_studio
from emomod.corpus.store import COMPOSER_VERSION
from emomod.errors import InputError
from emomod.model.load import load_model
from emomod.output import to_json, whole_file, write_csv
from emomod.provenance import machine, package_versions
from emomod.report.words import number
from emomod.training.sense import synthesiser_at_hand
from evaluation.cases import file_cases, rendered_cases, settings_of_cases
from evaluation.experiments import EXPERIMENTS
from evaluation.job import Job
from evaluation.preset import preset_of
from evaluation.report import SUMMARY, read_summary, write_report
from evaluation.sections import told
from evaluation.store import Rows, Store
from evaluation.summary import smallest_counts, summarise

HEADLINES = ("direction_rate", "control_p", "confounder_rate")


def run(arguments: argparse.Namespace, log: Callable[[str], None]) -> dict[str, Any]:
    """Run the experiments that ``arguments`` name; return what they found.

    In ``out`` are a CSV for each, summary.json, report.html and report.md, which "report" makes again from the others.
    """
    if arguments.experiment == "report":
        write_report(arguments.out)
        return read_summary(arguments.out)
    if (arguments.experiment == "batch") != (arguments.store is not None):
        raise InputError("--store is for batch, which needs it: emomod evaluate batch --store STORE --out DIR")
    if arguments.experiment == "batch":
        from evaluation.batches import evaluate_store

        words = ("emomod", "evaluate", "batch", "--store", str(arguments.store), "--out", str(arguments.out))
        return evaluate_store(arguments.store, arguments.out, command=shlex.join(words))
    return _run_experiments(arguments, log)


def _run_experiments(arguments: argparse.Namespace, log: Callable[[str], None]) -> dict[str, Any]:
    preset = preset_of(arguments.preset)
    predictor = load_model(arguments.model, device=arguments.device)
    scores = None if arguments.scores is None else str(arguments.scores)
    corpus = settings_of_cases(synthesiser_at_hand(), scores=scores)
    given = file_cases(arguments.clip, device=predictor.device)
    record = {
        "preset": arguments.preset,
        "settings": asdict(preset),
        "model": {"name": predictor.card["name"], "sha256": predictor.sha256},
        "clips": {case.name: file_sha256(path) for case, path in zip(given, arguments.clip, strict=True)},
        "music": open_studio(corpus).description | {"synthesiser": corpus.synthesiser, "composer": COMPOSER_VERSION},
        "versions": package_versions(),
    }
    store = Store(arguments.out, record)
    cases = [*given, *rendered_cases(preset.n_clips, corpus, device=predictor.device)]
    job = Job(predictor, cases, corpus, preset, store, log)
    wanted = tuple(EXPERIMENTS) if arguments.experiment == "all" else (arguments.experiment,)
    left_out: dict[str, str] = {}
    for name in wanted:
        try:
            rows = EXPERIMENTS[name](job)
        except InputError as error:
            if arguments.experiment != "all":
                raise
            left_out[name] = str(error)
            log(f"{name}: left out: {error}")
            continue
        write_results(arguments.out, name, rows, {**record, "left_out": left_out}, command=command_of(arguments))
    summary = _update(arguments.out, {"left_out": left_out})
    write_report(arguments.out)
    return summary


def command_of(arguments: argparse.Namespace) -> str:
    """The command that gives these results."""
    words = ["emomod", "evaluate", arguments.experiment, "--preset", arguments.preset, "--out", arguments.out]
    for name in ("clip", "scores", "model"):
        value = getattr(arguments, name)
        if value:
            words += [f"--{name}", *(value if isinstance(value, list) else [value])]
    return shlex.join(str(word) for word in words)


def write_results(folder: Path, experiment: str, rows: Rows, record: dict[str, Any], *, command: str) -> dict[str, Any]:
    """Write the CSV of an experiment into ``folder`` and its figures into summary.json; return the summary.

    ``runs`` in the summary tell by experiment when, by which command and on what machine it was finished.
    """
    with whole_file(folder / f"{experiment}.csv") as partial:
        write_csv(partial, _same_keys(rows))
    found = summarise({experiment: rows})
    if experiment == "stability":
        found["smallest_counts"] = smallest_counts(rows)
    run = {"made": datetime.now(UTC).date().isoformat(), "command": command, "machine": machine()}
    runs = read_summary(folder)["runs"] if (folder / SUMMARY).is_file() else {}
    return _update(folder, {**record, **found, "runs": {**runs, experiment: run}})


def _update(folder: Path, figures: dict[str, Any]) -> dict[str, Any]:
    """The summary of the folder with ``figures`` added, or put in the place of earlier ones."""
    path = folder / SUMMARY
    summary: dict[str, Any] = read_summary(folder) if path.is_file() else {}
    summary |= figures
    with whole_file(path) as partial:
        partial.write_text(to_json(summary) + "\n", encoding="utf-8")
    return summary


def _same_keys(rows: Rows) -> Rows:
    """Rows for a CSV: with all keys that any of them has, in the order of their first appearance, without controls."""
    if not rows:
        raise InputError("an experiment must give at least one row")
    keys = [key for key in dict.fromkeys(key for row in rows for key in row) if key != "controls"]
    return [{key: row.get(key) for key in keys} for row in rows]


def summary_words(summary: dict[str, Any]) -> str:
    """What a person wants to know of a summary, in a few lines."""
    lines = []
    for name in HEADLINES:
        if name in summary:
            value = summary[name]
            lines.append(f"{name}: {told(value) if isinstance(value, dict) else number(value)}")
    for target, versions in summary.get("batch", {}).items():
        for version, figures in versions.items():
            lines.append(f"{target}, {version}: {told(figures['shift'], 3)}, the right way {told(figures['right'])}")
    lines += [f"truth AUC of {name}: {told(value)}" for name, value in summary.get("truth_auc", {}).items()]
    return "\n".join([*lines, *_left_out(summary["left_out"])])


def _left_out(left_out: Mapping[str, str] | Sequence[str]) -> list[str]:
    """Lines for experiments that were left out, with why, or for what a batch lacks."""
    told = [f"{name}: {why}" for name, why in left_out.items()] if isinstance(left_out, Mapping) else left_out
    return [f"left out: {each}" for each in told]
