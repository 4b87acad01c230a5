"""Confounder: does an explanation show that a classifier has learned the wrong thing?

The basic validation of audioLIME (Haunschmid, Manilow, Widmer, 2020, arXiv:2008.00582, section 4), with rendered
clips. The task is to tell a guitar from a piano. In the confounded training clips drums play wherever a guitar does
and nowhere else, so that a classifier may learn the drums; in the clean ones they play with either, at random. The bad
clips have a piano with drums: a classifier that listens to drums takes them for guitars, and an explanation of that
should put a component of the drums first. A classifier from the clean clips is the control.

Conventions
-----------
A clip has the parts lead (the guitar or the piano), bass and, where it says so, drums. Components are its parts over
stretches of time, from the true stems. Values count for the class that was predicted.

Metrics, of a bad clip
-------
- ``confounder_first``: whether the highest component is one of the drums; the share of clips is the confounder rate
- ``fooled``: whether it was taken for a guitar
- ``confounder_loudest``: whether the loudest component is one of the drums; what loudness alone would say
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.checks import check_count, check_number, check_rng
from emomod.components.layered import LayeredComponents
from emomod.corpus.acoustics import draw_acoustics
from emomod.corpus.compose import compose
from emomod.corpus.render import Studio, open_studio
from emomod.corpus.score import Part, Score
from emomod.corpus.stems import Stems, recorded_stems, render_stems
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.model.network import EmotionNetwork
from emomod.model.predictor import Predict, Takes
from emomod.spectrogram import compute_spectrogram
from evaluation.cases import cut_stems

PIANOS, GUITARS = (0, 1, 4), (24, 25, 26)  # General MIDI programs
CONFOUNDER = "drums"
ROLES = ("harmony", "bass", CONFOUNDER)
LEAD_LEVEL = 0.5  # beside drums at 1
CLIPS_A_RUN = 16
BATCH = 16  # clips of an optimiser step


@dataclass(frozen=True)
class ConfounderSettings:
    """The task, the classifiers and the explanations."""

    n_training: int = 400  # clips for each classifier
    n_bad: int = 50
    seconds: float = 5.0
    synthesiser: str = "fluidsynth"
    width: float = 0.1  # of the network
    epochs: int = 12
    n_segments: int = 5  # stretches of time that parts are cut into
    lime: LimeSettings = field(default_factory=lambda: LimeSettings(n_perturbations=512, n_held_out=64, off="silence"))
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("n_training", self.n_training, low=BATCH)
        check_count("n_bad", self.n_bad)
        for name in ("epochs", "n_segments"):
            check_count(name, getattr(self, name))
        check_number("seconds", self.seconds, low=2.0, high=60.0)
        check_rng(self.seed)


@dataclass(frozen=True, eq=False)
class LabelledStems:
    """A clip taken apart, and what it is."""

    stems: Stems
    guitar: bool
    drums: bool


@dataclass(frozen=True, eq=False)
class Classifier:
    """Chance 0..1 that a clip has a guitar, as a model that can be explained."""

    network: EmotionNetwork
    head: nn.Linear
    names: tuple[str, ...] = ("guitar",)
    mid_to_emotion: None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    takes: Takes = "spectrogram"

    @property
    def module(self) -> nn.Module:
        """The network, without its head."""
        return self.network

    @torch.inference_mode()
    def __call__(self, spectrograms: torch.Tensor, /) -> torch.Tensor:
        """Return chances [n, 1] of log spectrograms [n, n_bands, n_frames]."""
        return self.differentiable(spectrograms)

    def differentiable(self, spectrograms: torch.Tensor, /) -> torch.Tensor:
        """Return the same chances, with what their gradients need."""
        chances: torch.Tensor = torch.sigmoid(self.head(self.network.features(spectrograms)))
        return chances


# ---- clips -----------------------------------------------------------------------------------------------------------


def draw_clips(
    settings: ConfounderSettings, kinds: Sequence[tuple[bool, bool]], *, studio: Studio, stream: int
) -> list[LabelledStems]:
    """Compose and render a clip for each of ``kinds`` (guitar, drums); ``stream`` sets sets of clips apart."""
    scores = [
        _lined_up(np.random.default_rng([settings.seed, stream, index]), settings, studio, guitar=guitar, drums=drums)
        for index, (guitar, drums) in enumerate(kinds)
    ]
    found = []
    for first in range(0, len(scores), CLIPS_A_RUN):
        some = scores[first : first + CLIPS_A_RUN]
        for place, (score, dry) in enumerate(zip(some, render_stems(some, studio.render), strict=True), first):
            room = draw_acoustics(np.random.default_rng([settings.seed, stream, place, 1]))
            (stems,) = recorded_stems([score], [dry], room)
            found.append(LabelledStems(stems, *kinds[place]))
    return found


def _lined_up(
    rng: np.random.Generator, settings: ConfounderSettings, studio: Studio, *, guitar: bool, drums: bool
) -> Score:
    """A composed score with a lead on a guitar or a piano, a bass, and drums that play throughout, or none."""
    program = int(rng.choice(GUITARS if guitar else PIANOS))
    while True:
        score = compose(rng, seconds=settings.seconds)
        parts = {part.role: part for part in score.parts if part.notes}
        if not set(ROLES) <= set(parts):
            continue
        lead = Part("harmony", program, parts["harmony"].notes, LEAD_LEVEL)
        beat = replace(parts[CONFOUNDER], level=1.0)
        ready = studio.prepare(replace(score, parts=(lead, parts["bass"], beat)))
        if all(_goes_on(part, settings) for part in ready.parts):
            return ready if drums else replace(ready, parts=ready.parts[:2])


def _goes_on(part: Part, settings: ConfounderSettings) -> bool:
    """Whether drums have a note in most stretches of time, and another part one at all."""
    onsets = np.array([note.onset for note in part.notes if note.onset < settings.seconds])
    stretches = np.unique((onsets / settings.seconds * settings.n_segments).astype(int)).size
    return stretches > (settings.n_segments / 2 if part.role == CONFOUNDER else 0)


# ---- classifiers -----------------------------------------------------------------------------------------------------


def train_classifier(clips: Sequence[LabelledStems], settings: ConfounderSettings) -> Classifier:
    """Train a small network to tell guitars from pianos; the same clips and settings give the same network."""
    if len({clip.guitar for clip in clips}) < 2:
        raise InputError("clips must have both guitars and pianos")
    images = torch.stack([compute_spectrogram(clip.stems.mix).log_spectrogram for clip in clips])
    labels = torch.tensor([[float(clip.guitar)] for clip in clips])
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = EmotionNetwork("a2e", width=settings.width, dropout=0.1)
        head = nn.Linear(network.head.in_features, 1)
        _fit(network, head, images, labels, settings)
    return Classifier(network.eval(), head.eval())


def _fit(
    network: EmotionNetwork, head: nn.Linear, images: torch.Tensor, labels: torch.Tensor, settings: ConfounderSettings
) -> None:
    loss_of = nn.BCEWithLogitsLoss()
    parameters = [*network.trunk.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=1e-2)
    n_steps = len(images) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=3e-3, total_steps=n_steps * settings.epochs + 1)
    network.train()
    for _ in range(settings.epochs):
        for batch in torch.randperm(len(images))[: n_steps * BATCH].view(n_steps, BATCH):
            optimiser.zero_grad(set_to_none=True)
            loss_of(head(network.features(images[batch])), labels[batch]).backward()
            optimiser.step()
            schedule.step()


# ---- explanations ----------------------------------------------------------------------------------------------------


def judge(classifier: Predict, clips: Sequence[LabelledStems], settings: ConfounderSettings) -> list[dict[str, Any]]:
    """A row for each clip: chance of a guitar, the part of its highest component and that of its loudest."""
    rows = []
    for index, clip in enumerate(clips):
        components = cut_stems(clip.stems, n_stretches=settings.n_segments)
        weights = explain_with_lime(classifier, components, settings=settings.lime)
        chance = float(classifier(components.mix(torch.ones(2, components.n_components)))[0, 0])
        values = weights.weights[0] * (1.0 if chance > 0.5 else -1.0)
        rows.append(
            {
                "clip": index,
                "guitar": clip.guitar,
                "drums": clip.drums,
                "chance_of_guitar": chance,
                "fooled": (chance > 0.5) != clip.guitar,
                "highest": _part_of(components, values),
                "loudest": _part_of(components, components.energies()),
                "confounder_first": _part_of(components, values) == CONFOUNDER,
                "confounder_loudest": _part_of(components, components.energies()) == CONFOUNDER,
                "r2": float(weights.neighbourhood_r2[0]),
            }
        )
    return rows


def _part_of(components: LayeredComponents, values: NDArray[np.float64]) -> str:
    """The part that the component of the highest value belongs to."""
    return components.names[int(values.argmax()) // components.n_regions]


def confounded_classifier(settings: ConfounderSettings, *, n_bad: int) -> tuple[Classifier, list[Stems]]:
    """The classifier of confounded clips that ``evaluate`` trains, and the first ``n_bad`` of its bad clips."""
    studio = _open(settings)
    kinds = [(guitar, guitar) for guitar, _ in _training_kinds(settings)]
    classifier = train_classifier(draw_clips(settings, kinds, studio=studio, stream=0), settings)
    bad = draw_clips(settings, [(False, True)] * n_bad, studio=studio, stream=2)
    return classifier, [clip.stems for clip in bad]


def _open(settings: ConfounderSettings) -> Studio:
    return open_studio(CorpusSettings(1, seed=settings.seed, synthesiser=settings.synthesiser))


def _training_kinds(settings: ConfounderSettings) -> list[tuple[bool, bool]]:
    """Whether each training clip has a guitar, and in the clean set drums; half of them do."""
    rng = np.random.default_rng([settings.seed, 3])
    halves = [rng.permutation(np.arange(settings.n_training) % 2 == 0).tolist() for _ in range(2)]
    return list(zip(*halves, strict=True))


def evaluate(settings: ConfounderSettings | None = None) -> list[dict[str, Any]]:
    """Train both classifiers and explain them on the bad clips: a row for each ("confounded" or "clean") and clip."""
    settings = settings or ConfounderSettings()
    studio, clean = _open(settings), _training_kinds(settings)
    confounded = [(guitar, guitar) for guitar, _ in clean]
    bad = draw_clips(settings, [(False, True)] * settings.n_bad, studio=studio, stream=2)
    held_out = [(bool(k % 2), bool(k // 2 % 2)) for k in range(settings.n_bad)]
    fair = draw_clips(settings, held_out, studio=studio, stream=3)
    rows = []
    for stream, (name, kinds) in enumerate({"confounded": confounded, "clean": clean}.items()):
        classifier = train_classifier(draw_clips(settings, kinds, studio=studio, stream=stream), settings)
        accuracy = _accuracy(classifier, fair)
        rows += [{"classifier": name, **row, "fair_accuracy": accuracy} for row in judge(classifier, bad, settings)]
    return rows


def _accuracy(classifier: Classifier, clips: Sequence[LabelledStems]) -> float:
    """Share of clips that are told right."""
    images = torch.stack([compute_spectrogram(clip.stems.mix).log_spectrogram for clip in clips])
    told = classifier(images)[:, 0].numpy() > 0.5
    return float(np.mean(told == np.array([clip.guitar for clip in clips])))
