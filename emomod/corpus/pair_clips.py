"""Draw, render and store counterfactual pairs: both versions with their stems, and the truth about the difference.

A pair depends on the settings, the clip's index and the kind only. Both versions go through the same acoustics, drawn
once, with the same noise and the same gain; parts that do not change are bit-identical in both.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emomod.checks import check_choice, check_count
from emomod.corpus.acoustics import Acoustics, draw_acoustics
from emomod.corpus.clip_files import described_score, fit_stems, write_clip
from emomod.corpus.difference_cells import difference_cells
from emomod.corpus.pairs import KINDS, Pair, draw_pair
from emomod.corpus.render import Studio, draw_clip, open_studio
from emomod.corpus.score import Score
from emomod.corpus.stems import Stems, part_names, recorded_stems, render_stems
from emomod.corpus.store import CorpusSettings
from emomod.errors import InputError
from emomod.output import check_output, new_folder, to_json
from emomod.spectrogram import band_frequencies

CLIPS_A_PAIR = 200  # clips that are looked at for each pair that is wanted, before a kind is given up
UNRECORDED = ("soundfont", "scores", "n_clips", "shard_size", "stems")  # paths, and settings that change no pair
FIRST_STREAM = 10  # the random numbers of kind k are stream 10 + k of a clip; it has others itself, all below 5
BATCH = 8  # pairs that are rendered in one run


@dataclass(frozen=True)
class DrawnPair:
    """A pair before it is heard."""

    pair: Pair
    index: int  # of the clip that it is made from
    song: str
    acoustics: Acoustics


@dataclass(frozen=True, eq=False)
class HeardPair:
    """A pair as it sounds."""

    drawn: DrawnPair
    before: Stems
    after: Stems


def draw_pairs(
    settings: CorpusSettings, *, studio: Studio, kinds: Sequence[str], count: int
) -> dict[str, tuple[DrawnPair, ...]]:
    """The first ``count`` pairs of each of ``kinds`` among the clips of ``settings``; its ``n_clips`` does not matter.

    InputError when the clips allow too few pairs of a kind.
    """
    _check_wanted(kinds, count)
    found: dict[str, list[DrawnPair]] = {kind: [] for kind in kinds}
    for index in range(CLIPS_A_PAIR * count):
        wanted = [kind for kind, pairs in found.items() if len(pairs) < count]
        if not wanted:
            break
        clip = draw_clip(settings, index, studio=studio)
        for kind in wanted:
            rng = np.random.default_rng([settings.seed, index, FIRST_STREAM + list(KINDS).index(kind)])
            pair = draw_pair(clip.score, kind, rng, prepare=studio.prepare)
            if pair is not None:
                found[kind].append(DrawnPair(pair, index, clip.song, draw_acoustics(rng)))
    if short := [kind for kind, pairs in found.items() if len(pairs) < count]:
        raise InputError(f"the first {CLIPS_A_PAIR * count} clips have too few pairs of: {', '.join(short)}")
    return {kind: tuple(pairs) for kind, pairs in found.items()}


def _check_wanted(kinds: Sequence[str], count: int) -> None:
    for kind in kinds:
        check_choice("kind", kind, tuple(KINDS))
    check_count("count", count)


def hear_pairs(pairs: Sequence[DrawnPair], *, studio: Studio) -> Iterator[HeardPair]:
    """Render pairs, a few at a time, as their files give them back."""
    for first in range(0, len(pairs), BATCH):
        some = pairs[first : first + BATCH]
        dry = render_stems([score for drawn in some for score in _versions(drawn)], studio.render)
        for place, drawn in enumerate(some):
            recorded = recorded_stems(_versions(drawn), dry[2 * place : 2 * place + 2], drawn.acoustics)
            before, after = fit_stems(recorded)
            yield HeardPair(drawn, before, after)


def _versions(drawn: DrawnPair) -> tuple[Score, Score]:
    return drawn.pair.before, drawn.pair.after


def write_pairs(
    out: str | Path,
    settings: CorpusSettings,
    *,
    kinds: Sequence[str],
    count: int,
    log: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write ``count`` pairs of each of ``kinds`` into the new folder ``out``, whole or not at all; describe it.

    A pair's folder (mode_000) has the clips ``before`` and ``after``; ``truth.json``: what was changed, in which part,
    where, and which feature should move which way; ``truth.npz``: DifferenceCells (magnitude and share [n_bands,
    n_frames]) and the bands' frequencies in Hz. InputError, before anything is opened, when a kind, the count or
    ``out`` cannot be had.
    """
    _check_wanted(kinds, count)
    check_output(out)
    studio = open_studio(settings, log=log)
    drawn = draw_pairs(settings, studio=studio, kinds=kinds, count=count)
    description = {
        "kinds": {kind: KINDS[kind].says for kind in kinds},
        "count": count,
        "settings": {key: value for key, value in asdict(settings).items() if key not in UNRECORDED},
        **studio.description,
    }
    with new_folder(out) as folder:
        for kind in kinds:
            for number, heard in enumerate(hear_pairs(drawn[kind], studio=studio)):
                _write_pair(folder / f"{kind}_{number:03d}", heard, seed=settings.seed)
                log(f"rendered pair {number + 1} of {count} of kind {kind}")
        (folder / "pairs.json").write_text(to_json(description) + "\n", encoding="utf-8")
    return description


def _write_pair(folder: Path, heard: HeardPair, *, seed: int) -> None:
    folder.mkdir()
    drawn, pair = heard.drawn, heard.drawn.pair
    facts = {"seed": seed, "index": drawn.index, "song": drawn.song, "acoustics": asdict(drawn.acoustics)}
    write_clip(folder / "before", pair.before, heard.before, facts=facts)
    write_clip(folder / "after", pair.after, heard.after, facts=facts)
    (folder / "truth.json").write_text(to_json({**truth(pair), **facts}) + "\n", encoding="utf-8")
    cells = difference_cells(heard.before, heard.after)
    np.savez_compressed(folder / "truth.npz", magnitude=cells.magnitude, share=cells.share, band_hz=band_frequencies())


def truth(pair: Pair) -> dict[str, Any]:
    """What a pair's change is, for JSON: times in seconds, MIDI keys, labels of both versions."""
    labels = [described_score(score)["labels"][pair.feature] for score in (pair.before, pair.after)]
    names = part_names(pair.after)
    return {
        "kind": pair.kind,
        "says": KINDS[pair.kind].says,
        "feature": pair.feature,
        "direction": pair.direction,
        "label_before": labels[0],
        "label_after": labels[1],
        "parts": [names[index] for index in pair.parts],
        "spans": pair.spans,
        "keys": pair.keys,
        "changed": [asdict(note) | {"part": names[note.part]} for note in pair.changed],
    }
