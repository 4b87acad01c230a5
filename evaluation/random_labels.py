"""A model that learned nothing that is there to learn: trained on clips with the labels of other clips.

Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim: Sanity Checks for Saliency Maps, NeurIPS 2018, section 4.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from emomod.checks import check_rng
from emomod.corpus.render import render_corpus
from emomod.corpus.store import CorpusSettings
from emomod.labelled_clips import LabelledClips
from emomod.model.predictor import Predictor
from emomod.training.fit import fit_network
from emomod.training.settings import TrainingSettings
from emomod.training.sources import clips_of_corpus

N_CLIPS = 200
N_PASSES = 10  # over all of them


def permute_labels(clips: LabelledClips, *, seed: int = 0) -> LabelledClips:
    """Return ``clips`` with the labels of others."""
    order = check_rng(seed).permutation(len(clips))
    return replace(clips, labels=clips.labels[order], couples=())


def train_on_permuted_labels(predictor: Predictor, music: CorpusSettings, *, seed: int = 0) -> Predictor:
    """Return a model like ``predictor``, trained anew, for a minute, on clips of ``music`` whose labels are dealt out.

    ``music`` says of what synthesiser and length the clips are; their number is ``N_CLIPS``.
    """
    network = predictor.checkpoint.network
    drawn = CorpusSettings(N_CLIPS, seed=seed, synthesiser=music.synthesiser, seconds=music.seconds)
    settings = TrainingSettings(
        network.architecture,
        width=network.width,
        rounds=N_PASSES,
        round_clips=N_CLIPS,
        window_seconds=music.seconds,
        seed=seed,
        patience=N_PASSES,
    )
    with tempfile.TemporaryDirectory() as folder:
        render_corpus(Path(folder) / "corpus", drawn)
        clips = permute_labels(clips_of_corpus(Path(folder) / "corpus"), seed=seed)
        fit = fit_network(clips, settings, state_path=Path(folder) / "state", device=str(predictor.device))
    trained = fit.network.to(predictor.device)
    trained.emotion = network.emotion  # what makes emotions of features is no part of what is learned here
    return replace(predictor, checkpoint=replace(predictor.checkpoint, network=trained))
