"""Train the example tagger on rendered clips, in which it is known what plays: examples/tagger.safetensors.

    python -m examples.train_tagger  # some minutes on two cores; needs FluidSynth and a soundfont

Clips of emomod's corpus are cut into windows of 3 s. A tag is true where the window's notes say so: instruments by
their General MIDI programs, drums, tempo, the number of parts. Tags of which the notes say nothing (opera, rock, woman)
are false throughout, so that the tagger never gives them. What it has learned is told as the area under the ROC curve
on clips of another seed.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from scipy.stats import mannwhitneyu

from emomod.audio import SAMPLE_RATE as RATE
from emomod.corpus.render import draw_clip, open_studio
from emomod.corpus.score import Part, Score
from emomod.corpus.store import CorpusSettings
from emomod.model.resampling import resample
from examples.tagger import SAMPLE_RATE, SECONDS, TAGS, WEIGHTS, Tagger, random_tagger

VOICES = range(52, 55)
PROGRAMS = {
    "guitar": range(24, 32), "piano": range(6), "strings": [*range(40, 46), *range(48, 52)], "violin": [40],
    "cello": [42], "flute": [72, 73, 74, 75], "harp": [46], "harpsichord": [6], "synth": range(80, 104),
    "electronic": range(80, 104), "choir": VOICES, "choral": VOICES, "voice": VOICES, "vocal": VOICES,
}  # fmt: skip
N_TRAINING, N_TEST, N_EPOCHS, BATCH, HEARD = 800, 120, 12, 32, 0.3  # HEARD: s for which a part must sound to count


def sounds(part: Part, start: float) -> bool:
    """True where a part plays in the window from ``start`` (s) on; for drums: at least two strokes."""
    end = start + SECONDS
    if part.is_drums:
        return sum(start <= note.onset < end for note in part.notes) >= 2
    heard = sum(max(0.0, min(end, note.onset + note.duration) - max(start, note.onset)) for note in part.notes)
    return bool(heard >= HEARD)


def tags_of(score: Score, start: float) -> NDArray[np.float32]:
    """Return which tags [50] are true of the window from ``start`` (s) on."""
    playing = [part for part in score.parts if sounds(part, start)]
    programs = {part.program for part in playing if not part.is_drums}
    drums, tempo = any(part.is_drums for part in playing), 60.0 / float(np.median(np.diff(score.beats)))
    true = {tag for tag, family in PROGRAMS.items() if programs & set(family)}
    true |= {"drums", "beat", "beats"} if drums else set()
    true |= set() if programs & set(VOICES) else {"no vocals", "no vocal", "no voice"}
    true |= {"slow"} if tempo < 75 else {"fast"} if tempo > 120 else set()
    true |= {"solo"} if len(playing) == 1 else set()
    return np.array([tag in true for tag in TAGS], dtype=np.float32)


def windows_of(n_clips: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return waveforms [n, 48000] at 16 kHz and tags [n, 50] of rendered clips, three windows each."""
    settings = CorpusSettings(n_clips=n_clips, seed=seed)
    studio = open_studio(settings)
    starts = [index * (settings.seconds - SECONDS) / 2 for index in range(3)]
    heard, tags = [], []
    for first in range(0, n_clips, 40):
        scores = [draw_clip(settings, index, studio=studio).score for index in range(first, min(first + 40, n_clips))]
        for score, y in zip(scores, studio.render(scores), strict=True):
            cut = np.stack([y[round(start * RATE) :][: round(SECONDS * RATE)] for start in starts])
            level = torch.tensor(0.5 / max(float(np.abs(cut).max()), 1e-6))
            heard.append(
                resample(torch.from_numpy(cut) * level, sr=SAMPLE_RATE, n_samples=round(SECONDS * SAMPLE_RATE))
            )
            tags.append(torch.from_numpy(np.stack([tags_of(score, start) for start in starts])))
        print(f"rendered {first + len(scores)} of {n_clips} clips", flush=True)
    return torch.cat(heard), torch.cat(tags)


def train(waveforms: torch.Tensor, tags: torch.Tensor, *, seed: int = 440) -> Tagger:
    """Return a tagger fitted to waveforms [n, 48000] and tags [n, 50]."""
    tagger, rng = random_tagger(seed), np.random.default_rng(seed)
    torch.nn.init.zeros_(tagger.head.weight)
    n_steps = N_EPOCHS * -(-len(tags) // BATCH)
    optimiser = torch.optim.AdamW(tagger.parameters(), lr=1e-2, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=n_steps)
    for epoch in range(N_EPOCHS):
        losses = []
        for batch in torch.from_numpy(rng.permutation(len(tags))).split(BATCH):  # type: ignore[no-untyped-call]
            gains = torch.from_numpy(10.0 ** rng.uniform(-1.0, 0.25, (len(batch), 1))).float()  # any level
            loss = torch.nn.functional.binary_cross_entropy(tagger(waveforms[batch] * gains), tags[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        print(f"round {epoch + 1} of {N_EPOCHS}: loss {np.mean(losses):.3f}", flush=True)
    return tagger


def main() -> None:
    """Render, train, test, and write the weights."""
    tagger = train(*windows_of(N_TRAINING, seed=1)).eval()
    waveforms, tags = windows_of(N_TEST, seed=2)
    with torch.no_grad():
        scores = torch.cat([tagger(batch) for batch in torch.tensor_split(waveforms, len(waveforms) // BATCH)]).numpy()
    for index, tag in enumerate(TAGS):
        true = tags[:, index].numpy() > 0
        if 3 <= true.sum() <= len(true) - 3:
            area = mannwhitneyu(scores[true, index], scores[~true, index]).statistic / (true.sum() * (~true).sum())
            print(f"{tag:12} {area:.2f}  true in {true.mean():.0%} of {len(true)} windows")
    save_file(tagger.state_dict(), WEIGHTS)


if __name__ == "__main__":
    main()
