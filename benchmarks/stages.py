"""What each stage of an explanation and a modification costs on the bundled clip, in one run of pytest-benchmark.

    python -m pytest benchmarks/stages.py --benchmark-columns=median,iqr,rounds --benchmark-sort=name

Times are for comparing stages, and one machine with itself. A batch is 16 mixtures, as an explanation takes them.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.audio import read_clip, write_wav
from emomod.cli.options import clip_path
from emomod.components.base import Sound, sound_of
from emomod.components.kinds import cut
from emomod.components.layered import LayeredComponents
from emomod.mixtures import BATCH_SIZES
from emomod.model.predictor import Predictor, load_predictor
from emomod.perturbation import mask_blocks
from emomod.rescoring import score_file
from emomod.spectrogram import compute_spectrogram
from emomod.surrogate import Statistics

N_MASKS = 2048


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load_predictor()


@pytest.fixture(scope="module")
def sound() -> Sound:
    return sound_of(read_clip(clip_path("demo")).y)


@pytest.fixture(scope="module")
def components(sound: Sound) -> LayeredComponents:
    return cut(sound)


@pytest.fixture(scope="module")
def masks(components: LayeredComponents) -> NDArray[np.bool_]:
    blocks = mask_blocks(components.n_components, n_perturbations=N_MASKS, design="hadamard", seed=0)
    return np.vstack(list(blocks))


def test_01_load_the_model(benchmark: BenchmarkFixture) -> None:
    benchmark(load_predictor)


def test_02_read_the_clip(benchmark: BenchmarkFixture) -> None:
    benchmark(lambda: read_clip(clip_path("demo")))


def test_03_spectrogram(benchmark: BenchmarkFixture) -> None:
    y = read_clip(clip_path("demo")).y
    benchmark(lambda: compute_spectrogram(y))


def test_04_segments(benchmark: BenchmarkFixture, sound: Sound) -> None:
    benchmark(lambda: cut(sound))


def test_05_draw_all_masks(benchmark: BenchmarkFixture, components: LayeredComponents) -> None:
    n = components.n_components
    benchmark(lambda: list(mask_blocks(n, n_perturbations=N_MASKS, design="hadamard", seed=0)))


def test_06_mix_a_batch(benchmark: BenchmarkFixture, components: LayeredComponents, masks: NDArray[np.bool_]) -> None:
    gains = torch.from_numpy(np.where(masks[: BATCH_SIZES["cpu"]], np.float32(1.0), np.float32(0.5)))
    benchmark(lambda: components.mix(gains))


def test_07_score_a_batch(benchmark: BenchmarkFixture, components: LayeredComponents, predictor: Predictor) -> None:
    mixtures = components.mix(torch.ones(BATCH_SIZES["cpu"], components.n_components))
    benchmark(lambda: predictor(mixtures))


def test_08_add_a_batch_to_the_fit(
    benchmark: BenchmarkFixture, components: LayeredComponents, masks: NDArray[np.bool_]
) -> None:
    statistics, scores = Statistics(components.n_components, 7, fold_over=True), np.ones((BATCH_SIZES["cpu"], 7))
    benchmark(lambda: statistics.add(masks[: BATCH_SIZES["cpu"]], scores, None))


def test_09_solve_the_fit(benchmark: BenchmarkFixture, components: LayeredComponents, masks: NDArray[np.bool_]) -> None:
    statistics = Statistics(components.n_components, 7, fold_over=True)
    statistics.add(masks, np.random.default_rng(0).random((len(masks), 7)), None)
    benchmark(lambda: statistics.solve(alpha=1.0))


def test_10_a_whole_explanation(
    benchmark: BenchmarkFixture, components: LayeredComponents, predictor: Predictor
) -> None:
    settings = LimeSettings(n_perturbations=N_MASKS)
    benchmark.pedantic(lambda: explain_with_lime(predictor, components, settings=settings), rounds=1, iterations=1)  # type: ignore[no-untyped-call]


def test_11_render_a_version(benchmark: BenchmarkFixture, components: LayeredComponents) -> None:
    gains = np.random.default_rng(0).uniform(0.5, 2.0, components.n_components)
    benchmark(lambda: components.render(gains))


def test_12_write_and_score_a_version(
    benchmark: BenchmarkFixture, components: LayeredComponents, predictor: Predictor, tmp_path: Path
) -> None:
    y = components.render(np.ones(components.n_components))

    def write_and_score() -> NDArray[np.float64]:
        write_wav(tmp_path / "version.wav", y)
        return score_file(predictor, tmp_path / "version.wav")

    assert benchmark(write_and_score).shape == (len(predictor.names),)
