"""Write clips of a corpus as folders with mix, stems, MIDI and labels, for those who want to listen or to look inside.

Clip i is the clip i that ``emomod corpus render`` makes with the same settings: the same score, room and noise, before
any codec. Its stretch in FluidSynth is a little longer (see emomod.corpus.stems), so that samples differ slightly.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from emomod.corpus.acoustics import draw_acoustics
from emomod.corpus.clip_files import fit_stems, write_clip
from emomod.corpus.render import Studio, draw_clip
from emomod.corpus.stems import recorded_stems, render_stems
from emomod.corpus.store import CorpusSettings

BATCH = 8  # clips that are rendered in one run


def write_clips(
    folder: str | Path,
    settings: CorpusSettings,
    indices: Sequence[int],
    *,
    studio: Studio,
    log: Callable[[str], None] = lambda _: None,
) -> None:
    """Write the clips ``indices`` into ``folder`` as clip_00000, ...; those that are there are left as they are."""
    missing = [index for index in indices if not clip_path(folder, index).is_dir()]
    for first in range(0, len(missing), BATCH):
        some = missing[first : first + BATCH]
        clips = [draw_clip(settings, index, studio=studio) for index in some]
        dry = render_stems([clip.score for clip in clips], studio.render)
        for index, clip, parts in zip(some, clips, dry, strict=True):
            acoustics = draw_acoustics(clip.rng)
            (stems,) = fit_stems(recorded_stems([clip.score], [parts], acoustics))
            facts = {"seed": settings.seed, "index": index, "song": clip.song, "acoustics": asdict(acoustics)}
            write_clip(clip_path(folder, index), clip.score, stems, facts=facts)
        log(f"wrote {first + len(some)} of {len(missing)} clips with stems")


def clip_path(folder: str | Path, index: int) -> Path:
    """Where clip ``index`` lies."""
    return Path(folder) / f"clip_{index:05d}"
