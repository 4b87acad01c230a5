"""The whole job of training: sources -> fit -> a checkpoint with its card."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.command import rendering_command
from emomod.datasets.splits import Split
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.checkpoint import save_checkpoint
from emomod.training.config import TrainingConfig
from emomod.training.fit import Fit, Log, fit_network
from emomod.training.settings import TrainingSettings
from emomod.training.sources import Source, joined, load_sources
from emomod.training.targets import trained_names

LICENCES = {
    "fluidsynth": "composed by emomod (MIT), rendered with a General MIDI soundfont (FluidR3 GM, Frank Wen, is MIT)",
    "numpy": "composed and rendered by emomod (MIT)",
}
SCORES = {"pop909": "POP909 (Wang et al. 2020, MIT)"}  # folders of scores that are known by their names
RENDERED_LIMITATIONS = (
    "Trained on short General MIDI clips only, composed or arranged by a program: no recorded music, no sung words, no "
    "ratings by listeners. The labels are measures of the score, mapped by rank among such clips to .1-.9, so a score "
    "is a rank among these clips and not a listener's rating."
)
PUBLISHED_LAYER_LIMITATIONS = (
    "Emotions are the published linear layer of 2019 on top, read off a plot and made for other mid-level scores; they "
    "are not validated on recordings. Use it to try the tools, not to make claims about music or listeners."
)
RATED_LIMITATIONS = "What it heard was rated by few listeners; music unlike the training clips may be misheard."


def train(
    config: TrainingConfig,
    *,
    split: Split | None = None,
    log: Log = lambda _: None,
) -> dict[str, Any]:
    """Train as ``config`` says, write the checkpoint ``config.out`` and return its card.

    Raises InputError when a corpus is missing or not complete, or when the checkpoint cannot be written.
    """
    target = _target(config.out)
    sources = load_sources(config.corpora)
    clips = joined(sources)
    log(f"{len(clips)} clips of {len(sources)} corpora; {config.settings.variant}, width {config.settings.width:g}")
    state_path = target.with_name(f"{target.name}.state")
    fit = fit_network(
        clips,
        config.settings,
        state_path=state_path,
        split=split,
        device=None if config.device == "auto" else config.device,
        log=log,
    )
    card = card_of(config, sources, fit=fit, out=target.name)
    save_checkpoint(target, fit.network, card)
    state_path.unlink(missing_ok=True)
    return card


def _target(out: str | None) -> Path:
    if out is None:
        raise InputError("out must name the checkpoint to write")
    target = Path(out)
    if target.is_dir() or not target.parent.is_dir():
        raise InputError(f"out {target}: must be a file in a folder that exists")
    return target


def card_of(config: TrainingConfig, sources: Sequence[Source], *, fit: Fit, out: str) -> dict[str, Any]:
    """The card of a fit: where it came from, what it was trained with, how well it predicts what it has not seen."""
    settings = config.settings
    kinds = [f"{len(source.clips)} clips, {_licence(source)}" for source in sources]
    return {
        "name": _name(settings, sources),
        "window_seconds": settings.window_seconds,
        "mid_to_emotion": _layer_name(settings),
        "training_data": "; ".join(kinds),
        "corpus": {
            "soundfont": ", ".join(sorted({_soundfont(source) for source in sources} - {""})) or None,
            "sources": [
                {"folder": source.folder.name, "n_clips": len(source.clips), **source.description} for source in sources
            ],
        },
        "training": _resolved(config, fit),
        "n_train": len(fit.split.train),
        "n_test": len(fit.split.test),
        "figures": _figures(settings, fit),
        "spread": spread_by_name(fit.network.names, fit.spread),
        "limitations": _limitations(settings, sources),
        "seed": settings.seed,
        "versions": {name: version(name) for name in ("torch", "numpy")} | {"python": sys.version.split()[0]},
        "commands": _commands(config, sources, out=out),
    }


def _name(settings: TrainingSettings, sources: Sequence[Source]) -> str:
    """What tells the network, its corpora and, but for 0, its seed."""
    told = [settings.variant, f"{settings.width:g}", *(source.folder.name for source in sources)]
    return "-".join([*told, *([f"seed-{settings.seed}"] if settings.seed else [])])


def _resolved(config: TrainingConfig, fit: Fit) -> dict[str, Any]:
    """Every field of the configuration but its paths, and how training went."""
    went = {"best_round": fit.best_round, "hours": round(fit.seconds / 3600, 2)}
    return {"config": config.name, **asdict(config.settings), "device": config.device, **went}


def _licence(source: Source) -> str:
    """Where a source's sounds and labels come from."""
    if not source.rendered:
        return f"{source.description['dataset']}, rated by listeners"
    scores = source.description.get("scores")
    folder = SCORES.get(scores["folder"], scores["folder"]) if scores else ""
    arranged = f"in part arranged from {scores['n_songs']} songs of {folder}, else " if scores else ""
    return f"{arranged}{LICENCES[source.description['settings']['synthesiser']]}; labels from the scores"


def _soundfont(source: Source) -> str:
    return str(source.description.get("soundfont") or "")


def _layer_name(settings: TrainingSettings) -> str:
    """What the layer from features to emotions is called."""
    if settings.variant == "a2e":
        return "none"
    return "published-2019" if settings.emotion_layer == "published" else "trained"


def _figures(settings: TrainingSettings, fit: Fit) -> dict[str, Any]:
    """Pearson r of the scores that the variant is known by, and of a two-level network's emotions apart."""
    names = fit.network.names
    first = MIDLEVEL_NAMES if fit.network.two_level else EMOTION_NAMES
    test_r = _by_name(names, fit.test_r)
    figures: dict[str, Any] = {
        "mean_test_r": round(float(np.nanmean([test_r[name] for name in trained_names(settings.variant)])), 3),
        "test_r": _only(test_r, first),
        "validation_r": _only(_by_name(names, fit.validation_r), first),
    }
    if fit.network.two_level:
        figures["emotion_test_r"] = _only(test_r, EMOTION_NAMES)
    return figures


def spread_by_name(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    """Spreads with three digits."""
    return {name: float(f"{value:.3g}") for name, value in zip(names, values, strict=True)}


def _by_name(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in zip(names, values, strict=True)}


def _only(values: dict[str, float], names: Sequence[str]) -> dict[str, float]:
    """The known values of ``names``."""
    return {name: values[name] for name in names if np.isfinite(values[name])}


def _limitations(settings: TrainingSettings, sources: Sequence[Source]) -> str:
    parts = [RENDERED_LIMITATIONS if all(source.rendered for source in sources) else RATED_LIMITATIONS]
    if _layer_name(settings) == "published-2019":
        parts.append(PUBLISHED_LAYER_LIMITATIONS)
    return " ".join(parts)


def _commands(config: TrainingConfig, sources: Sequence[Source], *, out: str) -> list[str]:
    """The commands that make the checkpoint again."""
    corpora = " ".join(f"--corpus {source.folder.name}" for source in sources)
    settings = config.settings
    trained = f"--config {config.name} {corpora} --split {settings.split} --width {settings.width:g}"
    training = f"emomod train {trained} --seed {settings.seed} --out {out}"
    rendering = [rendering_command(source.folder.name, source.description) for source in sources if source.rendered]
    return [*rendering, training]
