"""Carriers: clips of which one part alone carries a feature, so that it is known what an explanation should name.

Counterfactual pairs (emomod.corpus.pairs) change notes; a component that is turned off takes sound away. The question
that an explanation can answer is which part a feature hangs on, and the labels answer it, as they are computed from
the score: of the clip, and of the clip without each of its parts.

Conventions
-----------
``effect`` [n_parts] of a feature is the label of the whole less that without the part. A part carries the feature
where its effect is at least .1 up (or down), and that of every other part less than .3 times as much in that
direction. Labels lie between .1 and .9; an effect of .2, a quarter of that, is large.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_count
from emomod.corpus.acoustics import Acoustics, draw_acoustics
from emomod.corpus.labels import raw_labels, scaled_labels
from emomod.corpus.pair_clips import BATCH, CLIPS_A_PAIR
from emomod.corpus.render import Studio, draw_clip
from emomod.corpus.score import Score
from emomod.corpus.stems import Stems, recorded_stems, render_stems
from emomod.corpus.store import CorpusSettings
from emomod.corpus.versions import with_notes
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES

LEAST_EFFECT, LARGE_EFFECT, MOST_OF_OTHERS = 0.1, 0.2, 0.3
LEAST_PARTS = 3
STREAM = 5  # of a clip's random numbers; it has those below itself, its pairs those from 10 on


@dataclass(frozen=True)
class Carrier:
    """A part that carries a feature."""

    score: Score
    part: int
    feature: str
    direction: int  # 1 where the feature is higher with the part than without, -1 where it is lower
    effect: float  # of the label, positive


@dataclass(frozen=True)
class DrawnCarrier:
    """A carrier before it is heard."""

    carrier: Carrier
    index: int  # of the clip
    song: str
    acoustics: Acoustics


@dataclass(frozen=True, eq=False)
class HeardCarrier:
    """A carrier's clip as it sounds."""

    drawn: DrawnCarrier
    stems: Stems

    @property
    def without(self) -> Stems:
        """The same clip without the part."""
        parts = self.stems.parts.copy()
        parts[self.drawn.carrier.part] = 0.0
        return replace(self.stems, parts=parts)


def effects_of_parts(score: Score) -> dict[int, NDArray[np.float64]]:
    """Effects [7] of each part that sounds, by its index; of the only one with a pitch there is none."""
    sounding = [k for k, part in enumerate(score.parts) if any(note.onset < score.seconds for note in part.notes)]
    pitched = {part for part in sounding if not score.parts[part].is_drums}
    removable = [part for part in sounding if pitched - {part}]
    whole = scaled_labels(raw_labels(score)) if removable else np.zeros(len(MIDLEVEL_NAMES))
    return {part: whole - scaled_labels(raw_labels(with_notes(score, part, ()))) for part in removable}


def carriers_of(score: Score, *, least: float = LEAST_EFFECT) -> list[Carrier]:
    """All features that one part of ``score`` carries by an effect of ``least`` or more.

    None where fewer than 3 parts can be taken away.
    """
    effects = effects_of_parts(score)
    if len(effects) < LEAST_PARTS:
        return []
    parts, found = list(effects), []
    for column, feature in enumerate(MIDLEVEL_NAMES):
        for direction in (1, -1):
            values = direction * np.array([effects[part][column] for part in parts])
            second, first = np.sort(values)[-2:]
            if first >= least and second < MOST_OF_OTHERS * first:
                found.append(Carrier(score, parts[int(values.argmax())], feature, direction, float(first)))
    return found


def draw_carriers(
    settings: CorpusSettings, *, studio: Studio, count: int, least: float = LEAST_EFFECT
) -> dict[str, tuple[DrawnCarrier, ...]]:
    """The first ``count`` carriers of each feature among the clips of ``settings``; its ``n_clips`` does not matter.

    InputError when the clips have too few.
    """
    check_count("count", count)
    found: dict[str, list[DrawnCarrier]] = {feature: [] for feature in MIDLEVEL_NAMES}
    for index in range(CLIPS_A_PAIR * count):
        if all(len(drawn) == count for drawn in found.values()):
            break
        clip = draw_clip(settings, index, studio=studio)
        room = draw_acoustics(np.random.default_rng([settings.seed, index, STREAM]))
        for carrier in carriers_of(clip.score, least=least):
            if len(found[carrier.feature]) < count:
                found[carrier.feature].append(DrawnCarrier(carrier, index, clip.song, room))
    if short := [feature for feature, drawn in found.items() if len(drawn) < count]:
        raise InputError(f"the first {CLIPS_A_PAIR * count} clips have too few parts that carry: {', '.join(short)}")
    return {feature: tuple(drawn) for feature, drawn in found.items()}


def hear_carriers(carriers: tuple[DrawnCarrier, ...], *, studio: Studio) -> Iterator[HeardCarrier]:
    """Render carriers, a few at a time, part by part."""
    for first in range(0, len(carriers), BATCH):
        some = carriers[first : first + BATCH]
        dry = render_stems([drawn.carrier.score for drawn in some], studio.render)
        for drawn, parts in zip(some, dry, strict=True):
            (stems,) = recorded_stems([drawn.carrier.score], [parts], drawn.acoustics)
            yield HeardCarrier(drawn, stems)
