"""The whole job of training: fit on a corpus, check on another synthesiser, write a checkpoint with its card."""

import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_count
from emomod.corpus.render import COMPOSER_VERSION, SYNTHESISERS, Corpus, CorpusSettings, load_corpus, render_corpus
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.model.checkpoint import save_checkpoint
from emomod.model.network import EmotionNetwork
from emomod.training.fit import Fit, Log, TrainingSettings, fit_network, pearson_r, predict_midlevel

CARRY_OVER_SEED = 1_000_003  # added to the corpus's seed: other clips than the corpus has
LICENCES = {
    "fluidsynth": "composed by emomod (MIT), rendered with a General MIDI soundfont (FluidR3 GM, Frank Wen, is MIT)",
    "numpy": "composed and rendered by emomod (MIT)",
}
LIMITATIONS = (
    "Trained on short, computer-composed General MIDI clips only: no recorded music, no sung words, no ratings by "
    "listeners. The labels are measures of the score, mapped by rank among such clips to .1-.9, so a score is a rank "
    "among these clips and not a listener's rating. Emotions are the published linear layer of 2019 on top, read off a "
    "plot and made for other mid-level scores; they are not validated on recordings. Use it to try the tools, not to "
    "make claims about music or listeners."
)


def train(
    corpus_dir: str | Path,
    out_path: str | Path,
    settings: TrainingSettings,
    *,
    n_carry_over: int = 300,
    log: Log = lambda _: None,
) -> dict[str, Any]:
    """Train on the corpus in ``corpus_dir``, write the checkpoint ``out_path`` and return its card.

    ``n_carry_over`` clips of another synthesiser are rendered to see what carries over to sounds never heard.
    Raises InputError when the corpus is missing or not complete, or when ``out_path`` cannot be written.
    """
    check_count("n_carry_over", n_carry_over, low=10)
    target = Path(out_path)
    if target.is_dir() or not target.parent.is_dir():
        raise InputError(f"out {target}: must be a file in a folder that exists")
    corpus = load_corpus(corpus_dir)
    if corpus.description["composer_version"] != COMPOSER_VERSION:
        raise InputError(f"{corpus_dir}: was made by another version of the composer; render it again")
    state_path = target.with_name(f"{target.name}.state")
    fit = fit_network(corpus, settings, state_path=state_path, log=log)
    carried = _carry_over(fit.network, corpus, n_clips=n_carry_over, log=log)
    card = _card(corpus, settings, fit=fit, carried=carried) | {
        "n_carry_over": n_carry_over,
        "commands": _commands(corpus.description["settings"], settings, out=target.name),
    }
    save_checkpoint(target, fit.network, card)
    state_path.unlink(missing_ok=True)
    return card


def _other_synthesiser(corpus: Corpus) -> str:
    used = corpus.description["settings"]["synthesiser"]
    return next(name for name in reversed(SYNTHESISERS) if name != used)


def _carry_over(network: EmotionNetwork, corpus: Corpus, *, n_clips: int, log: Log) -> NDArray[np.float64] | None:
    """Pearson r [7] on clips of the other synthesiser; None where that is not installed."""
    made = corpus.description["settings"]
    settings = CorpusSettings(
        n_clips, seed=made["seed"] + CARRY_OVER_SEED, synthesiser=_other_synthesiser(corpus), seconds=made["seconds"]
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            render_corpus(folder, settings, log=lambda line: log(f"other synthesiser: {line}"))
        except InputError as error:
            log(f"no check on the other synthesiser: {error}")
            return None
        other = load_corpus(folder)
    return pearson_r(predict_midlevel(network, other.spectrograms), other.labels)


def _card(
    corpus: Corpus, settings: TrainingSettings, *, fit: Fit, carried: NDArray[np.float64] | None
) -> dict[str, Any]:
    made, n_clips = corpus.description["settings"], len(corpus.labels)
    synthesiser = str(made["synthesiser"])
    figures: dict[str, Any] = {
        "mean_test_r": round(float(fit.test_r.mean()), 3),
        "test_r": _by_name(fit.test_r),
        "validation_r": _by_name(fit.validation_r),
    }
    if carried is not None:
        figures |= {"mean_carry_over_r": round(float(carried.mean()), 3), "carry_over_r": _by_name(carried)}
    return {
        "name": f"rendered-{synthesiser}-{n_clips}",
        "window_seconds": made["seconds"],
        "mid_to_emotion": "published-2019",
        "training_data": f"{n_clips} clips of {made['seconds']:g} s, {LICENCES[synthesiser]}; labels from the scores",
        "corpus": {key: value for key, value in corpus.description.items() if key != "front_end"},
        "training": asdict(settings) | {"best_epoch": fit.best_epoch},
        "n_test": n_clips // 10,
        "carry_over_synthesiser": _other_synthesiser(corpus),
        "figures": figures,
        "limitations": LIMITATIONS,
        "seed": settings.seed,
        "versions": {name: version(name) for name in ("torch", "numpy")} | {"python": sys.version.split()[0]},
    }


def _by_name(values: NDArray[np.float64]) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in zip(MIDLEVEL_NAMES, values, strict=True)}


def _commands(made: dict[str, Any], settings: TrainingSettings, *, out: str) -> list[str]:
    """The two commands that make the checkpoint again."""
    corpus = f"--clips {made['n_clips']} --seed {made['seed']} --synthesiser {made['synthesiser']}"
    trained = (
        f"--width {settings.width:g} --epochs {settings.epochs} --seed {settings.seed} --batch {settings.batch_size}"
    )
    return [
        f"emomod corpus render {corpus} --out corpus",
        f"emomod train --corpus corpus {trained} --out {out}",
    ]
