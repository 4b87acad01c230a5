"""Stimuli: the versions of each item as delivered files that differ in nothing but the manipulation.

All versions of an item are brought to one loudness (ITU-R BS.1770) by one static gain each, and attenuated together
until none exceeds the true peak; nothing is limited. They have equal length and fades, and are dithered to 16 bit. What
was written is read back and measured: the gate fails closed, before anything is delivered, and names the version. The
model's prediction is that of the delivered file.

Versions are made of a clip by its explanation, or given by a series that was steered before; the rest is the same.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emomod.attribution.lime import LimeSettings
from emomod.attribution.methods import MethodSettings, explain_with
from emomod.audio import Clip, file_sha256, read_clip, write_wav
from emomod.component_weights import ComponentWeights, Selection, select_components
from emomod.components.base import Components, sound_of
from emomod.components.kinds import DEFAULT, Cutting, cut
from emomod.errors import InputError
from emomod.explained import explained_before
from emomod.explanation import load_explanation
from emomod.loudness import loudness
from emomod.model.predictor import ScoringModel
from emomod.modification import amplitude
from emomod.rescoring import draw_control, score_file
from emomod.stages import Stages
from listening_study.conditions import ORIGINAL, SOFTER, SOFTER_DB, Condition
from listening_study.levels import BITS, dithered, faded, true_peak_db
from listening_study.plan import Item, StudyPlan
from listening_study.series import read_series

LUFS = -23.0  # of every item whose peaks allow it (EBU R 128)
MAX_TRUE_PEAK_DB = -1.0
MARGIN_DB = 0.05  # kept below that for dither and rounding
TOLERANCE_LU = 0.1
TOLERANCE_S = 0.01  # by which clips may differ in length: files end at frames, and rates are converted
MAX_MATCHING_DB = 20.0  # by which a version may be softer than the original; more would bring up noise
LEAST_LUFS = -60.0  # below which a version counts as silent
Wave = NDArray[np.float64]
Gains = NDArray[np.float64]  # [K]


@dataclass(frozen=True, eq=False)
class _Version:
    """A version before it is levelled."""

    y: NDArray[np.float32]  # [n_samples]
    n_changed: int | None


@dataclass(frozen=True, eq=False)
class Stimulus:
    """A delivered version of an item."""

    token: str  # its opaque name
    item: str
    condition: str
    sha256: str  # of the file
    n_changed: int | None  # components whose gain was changed; None of given versions
    static_gain_db: float  # of the whole version, for loudness and peaks
    lufs: float  # as delivered
    true_peak_db: float  # dBTP, as delivered
    scores: NDArray[np.float64]  # [n_names], the model's, of the delivered file


def token_of(plan: StudyPlan, item: str, condition: str) -> str:
    """The opaque name of a version; it follows from the plan's title and seed."""
    told = "\n".join([plan.title, str(plan.seed), item, condition])
    return "x" + hashlib.sha256(told.encode()).hexdigest()[:14]


def make_stimuli(
    plan: StudyPlan,
    folder: Path,
    *,
    predictor: ScoringModel,
    components: Cutting = DEFAULT,
    method: MethodSettings | None = None,
    stages: Stages | None = None,
) -> list[Stimulus]:
    """Write every version of every item as ``folder``/TOKEN.wav; InputError names the version that fails the gate."""
    stages = stages or Stages()

    def versions_of(item: Item, clip: Clip, number: int) -> dict[str, _Version]:
        if item.steered:
            return _given(plan, item, clip)
        if item.explanation:
            _check_before(item, components, method)
            before = explained_before(item.clip, load_explanation(item.explanation), predictor)
            if before.clip.start != item.start:
                raise InputError(
                    f"start must be that of the explanation, {before.clip.start:g} s, got {item.start:g} s"
                )
            made, weights = before.components, before.explanation.weights
        else:
            made = cut(sound_of(clip.y, start=clip.start), components, device=predictor.device)
            weights = explain_with(predictor, made, settings=method or LimeSettings(), progress=stages.progress)
        return _rendered(made, dict(_gains(plan, weights, made, number)), n_samples=clip.y.size)

    found: list[Stimulus] = []
    clips = equally_long(read_clips(plan.items, seconds=predictor.window_seconds))
    for number, (item, clip) in enumerate(zip(plan.items, clips, strict=True)):
        with _naming(item):
            with stages.stage(f"{'reading' if item.steered or item.explanation else 'explaining'} {item.name}"):
                versions = versions_of(item, clip, number)
            with stages.stage(f"writing the versions of {item.name}"):
                found += _written(plan, item, number, versions, folder, predictor)
    return found


def _check_before(item: Item, components: Cutting, method: MethodSettings | None) -> None:
    """InputError where it is said how to explain a clip that was explained before."""
    if components != DEFAULT or method not in (None, LimeSettings()):
        raise InputError(f"its explanation lies in {item.explanation}; take it away, or the options for another one")


def read_clips(items: Sequence[Item], *, seconds: float) -> list[Clip]:
    """The stretch of ``seconds`` of every item; InputError names the item whose file is missing, broken or silent.

    Of a series it is that of the original.
    """
    clips: list[Clip] = []
    for item in items:
        with _naming(item):
            path = read_series(item.clip).original if item.steered else item.clip
            clips.append(read_clip(path, start=item.start, seconds=seconds))
    return clips


def equally_long(clips: Sequence[Clip]) -> list[Clip]:
    """The clips, cut to the shortest; InputError where one is longer than that by more than ``TOLERANCE_S``."""
    shortest, longest = (find(clips, key=lambda clip: clip.y.size) for find in (min, max))
    if longest.seconds - shortest.seconds > TOLERANCE_S:
        told = (f"{clip.path} has {clip.seconds:.3f} s from {clip.start:g} s on" for clip in (shortest, longest))
        raise InputError(f"items must be equally long: {', '.join(told)}; cut the longer ones")
    return [replace(clip, y=clip.y[: shortest.y.size]) for clip in clips]


@contextmanager
def _naming(item: Item) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"item {item.name}: {error}") from None


def _given(plan: StudyPlan, item: Item, clip: Clip) -> dict[str, _Version]:
    """The versions of a series by condition, as long as ``clip``, its original; that first.

    InputError where the series is not what the plan says, or a file is not a version of the original.
    """
    series = read_series(item.clip)
    if (series.steered, len(series.steps)) != (item.steered, item.steps):
        now = replace(item, steered=series.steered, steps=len(series.steps))
        raise InputError(f"{item.clip} was made anew ({now.told}) after the plan ({item.told}); design the study anew")
    clips = {ORIGINAL: clip}
    for condition, path in zip(plan.conditions, series.steps, strict=True):
        clips[condition.name] = read_clip(path, start=item.start, seconds=clip.seconds)
        if (length := clips[condition.name].file_seconds) != clip.file_seconds:
            raise InputError(f"{path}: must be as long as the original, {clip.file_seconds:.3f} s, got {length:.3f} s")
    hashes = [each.sha256 for each in clips.values()]
    if twice := [name for name, each in clips.items() if hashes.count(each.sha256) > 1]:
        raise InputError(f"{', '.join(twice)}: are the same file in {item.clip}")
    catch = {SOFTER: clip} if plan.has_catch_trials else {}
    return {name: _Version(each.y, None) for name, each in ({ORIGINAL: clip} | catch | clips).items()}


def _rendered(components: Components, gains: dict[str, Gains], *, n_samples: int) -> dict[str, _Version]:
    """The versions with ``gains`` [K] by condition, ``n_samples`` of each."""
    return {
        name: _Version(components.render(each)[:n_samples], int((each != 1.0).sum())) for name, each in gains.items()
    }


def _written(
    plan: StudyPlan, item: Item, number: int, versions: dict[str, _Version], folder: Path, predictor: ScoringModel
) -> list[Stimulus]:
    """The versions of the item of a ``number`` by condition as delivered, through the gate."""
    waveforms = {name: faded(each.y) for name, each in versions.items()}
    levels = matched_levels(waveforms)
    delivered = []
    for place, (name, y) in enumerate(waveforms.items()):
        rng = np.random.default_rng([plan.seed, number, place])
        path = folder / f"{token_of(plan, item.name, name)}.wav"
        write_wav(path, dithered(y * amplitude(levels[name]), rng=rng), bits=BITS)
        delivered.append(_delivered(path, item.name, name, levels[name], versions[name].n_changed, predictor))
    check_delivered(delivered)
    return delivered


def _gains(
    plan: StudyPlan, weights: ComponentWeights, components: Components, number: int
) -> Iterator[tuple[str, Gains]]:
    """Gains [K] of every condition, by name; the original first."""
    whole = np.ones(components.n_components)
    yield ORIGINAL, whole
    if plan.has_catch_trials:
        yield SOFTER, whole
    energies = components.energies()
    for place, target in enumerate(plan.targets):
        selection = select_components(weights, target=target, rule=plan.rule)
        for condition in plan.made_of(target):
            rng = np.random.default_rng([plan.seed, number, place, 1])
            yield condition.name, _gains_of(condition, selection, energies, rng)


def _gains_of(
    condition: Condition, selection: Selection, energies: NDArray[np.float64], rng: np.random.Generator
) -> Gains:
    """Gains [K] of one condition; InputError where no component speaks for (or against) its target."""
    side = "negative" if condition.version == "opposite" else "positive"
    chosen = getattr(selection, side)
    if not chosen.size:
        raise InputError(f"{condition.name}: no {side} component stands out by the rule {selection.rule}")
    gains = np.ones(energies.size)
    gains[chosen] = amplitude(-condition.gain_db if condition.version == "weakened" else condition.gain_db)
    return draw_control(gains, energies, kind="energy", rng=rng) if condition.version == "sham" else gains


def matched_levels(waveforms: dict[str, Wave]) -> dict[str, float]:
    """Static gains (dB) by name at which versions [n_samples] are at ``LUFS`` and none exceeds the true peak.

    ``softer`` lies 12 dB below. InputError where a version is silent, or more than 20 dB softer than the original.
    """
    levels = {name: loudness(y) for name, y in waveforms.items()}
    if silent := [name for name, level in levels.items() if not level > LEAST_LUFS]:
        raise InputError(f"{silent[0]}: is silent ({levels[silent[0]]:.1f} LUFS)")
    for name, level in levels.items():
        if levels[ORIGINAL] - level > MAX_MATCHING_DB:
            softer = f"{levels[ORIGINAL] - level:.1f} dB softer than the original"
            raise InputError(f"{name}: is {softer}; at most {MAX_MATCHING_DB:g} are allowed")
    gains = {name: LUFS - level for name, level in levels.items()}
    over = max(true_peak_db(y) + gains[name] for name, y in waveforms.items()) - (MAX_TRUE_PEAK_DB - MARGIN_DB)
    attenuated = {name: gain - max(0.0, over) for name, gain in gains.items()}
    return {name: gain + (SOFTER_DB if name == SOFTER else 0.0) for name, gain in attenuated.items()}


def _delivered(
    path: Path, item: str, condition: str, gain_db: float, n_changed: int | None, predictor: ScoringModel
) -> Stimulus:
    """What a written file is, measured as it is read back."""
    y = read_clip(path, seconds=predictor.window_seconds).y
    return Stimulus(
        token=path.stem,
        item=item,
        condition=condition,
        sha256=file_sha256(path),
        n_changed=n_changed,
        static_gain_db=gain_db,
        lufs=loudness(y),
        true_peak_db=true_peak_db(y),
        scores=score_file(predictor, path, seconds=predictor.window_seconds),
    )


def check_delivered(versions: list[Stimulus]) -> None:
    """The gate for the versions of an item; InputError names the version that is not as it must be."""
    original = next(each for each in versions if each.condition == ORIGINAL)
    for each in versions:
        wanted = original.lufs + (SOFTER_DB if each.condition == SOFTER else 0.0)
        if abs(each.lufs - wanted) > TOLERANCE_LU:
            raise InputError(
                f"{each.condition}: lies {each.lufs - wanted:+.2f} LU from where it should beside the original; "
                f"allowed are {TOLERANCE_LU:g}"
            )
        if each.true_peak_db > MAX_TRUE_PEAK_DB:
            peak = f"{each.true_peak_db:.2f} dBTP"
            raise InputError(f"{each.condition}: has a true peak of {peak}; at most {MAX_TRUE_PEAK_DB:g} is allowed")
    if twice := [each.condition for each in versions if [v.sha256 for v in versions].count(each.sha256) > 1]:
        raise InputError(f"{', '.join(twice)}: are the same file; they would be told apart by chance alone")
