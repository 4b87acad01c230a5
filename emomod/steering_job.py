"""Steering: a clip changed as little as possible so that the model hears what was asked for, and the proof of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.attribution.lime import LimeSettings
from emomod.audio import SUBTYPES, quantise, read_clip, write_wav
from emomod.checks import check_choice, check_count, check_rng
from emomod.component_map import ComponentMap
from emomod.component_weights import ComponentWeights
from emomod.components.base import Components, Sound, sound_of
from emomod.components.kinds import DEFAULT, Cutting
from emomod.components.off import off_gain
from emomod.corpus.codecs import available_formats, mp3, through_codec
from emomod.ear import ear_cost
from emomod.errors import InputError
from emomod.labels import spoken
from emomod.loudness import loudness
from emomod.model.companions import companions_of
from emomod.model.predictor import ScoringModel, load_predictor, scale_of, score_waveforms
from emomod.model.spread import spread_of
from emomod.modification import CEILING
from emomod.output import check_output, new_folder, to_json, write_csv
from emomod.pipeline import ExplainedClip, RunSettings, explain_clip, model_record
from emomod.provenance import package_versions
from emomod.report.steer_page import write_steer_page
from emomod.report.steer_words import rules_words
from emomod.rescoring import score_file
from emomod.result import scores_by_level
from emomod.spectrogram import compute_spectrogram
from emomod.stages import Stages
from emomod.steered import Point, Steered, asked_of, named
from emomod.steering.account import account_of, feature_shifts
from emomod.steering.controls import controls_of
from emomod.steering.hearing import Hearing, Listener, amplitudes
from emomod.steering.objective import Objective, objective_of
from emomod.steering.parts import parts_of
from emomod.steering.request import Request, check_request
from emomod.steering.robustness import WAYS, lasting_shifts, transfers
from emomod.steering.search import Step, beyond, most_there_is, search
from emomod.steering.solve import Found, Problem
from emomod.steering.words import steering_in_words

MP3 = "mp3 at 128 kbit/s"
STEP = "step_"
HALF_HOP = 352  # samples that a robust search hears the sound later: frames lie between those of the file
ALIKE = 0.005  # difference of scores that is none

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SteerSettings:
    """How a clip is steered; what is asked is a Request."""

    start: float = 0.0  # s, where the window begins in the file
    components: Cutting = DEFAULT  # how the sound is cut, see emomod.components.kinds
    lime: LimeSettings = field(default_factory=LimeSettings)  # of the surrogate; off must be a cut in dB
    robust: bool = False  # search with companions and with the sound cut elsewhere, too
    n_random: int = 20  # random changes that the steered one is compared with
    write_steps: bool = False  # whether a quarter, a half ... of the request are written as files, too
    n_steps: int = 4
    bits: int = 24  # 16 or 24, of the written files
    seed: int = 0  # of the random changes

    def __post_init__(self) -> None:
        check_choice("bits", str(self.bits), [str(bits) for bits in SUBTYPES])
        check_count("n_random", self.n_random)
        check_count("n_steps", self.n_steps)
        check_rng(self.seed)
        if not 0.0 < off_gain(self.lime.off) < 1.0:
            raise InputError(f"lime: off must be a cut in dB to steer by, got {self.lime.off!r}")


@dataclass(frozen=True, eq=False)
class _Job:
    """All that the parts of the job need."""

    explained: ExplainedClip
    sound: Sound
    request: Request
    settings: SteerSettings
    companions: tuple[ScoringModel, ...]
    stages: Stages

    @property
    def predictor(self) -> ScoringModel:
        return self.explained.predictor

    @property
    def used(self) -> tuple[ScoringModel, ...]:
        """Companions that take part in a robust search: all but the last, which judges, or the only one."""
        return self.companions[: max(len(self.companions) - 1, 1)] if self.settings.robust else ()


def steer(
    path: str | Path,
    request: Request,
    *,
    out: str | Path,
    settings: SteerSettings | None = None,
    predictor: ScoringModel | None = None,
    companions: Sequence[ScoringModel] | None = None,
    stages: Stages | None = None,
) -> Steered:
    """Find gains that do what ``request`` asks of a window of a clip, write and re-score it, and account for it.

    ``companions`` are other models with the same scores, which hear the result; by default those that ship beside the
    default model. ``settings.robust`` has the search
    listen to them, too, all but the last of several. Into ``out`` go original.wav and steered.wav, equally loud,
    steer.json, tables, the explanation and a report. InputError where the request contradicts itself or cannot be met;
    it tells the most there is.
    """
    settings, predictor, stages = settings or SteerSettings(), predictor or load_predictor(), stages or Stages()
    if not isinstance(request, Request):
        raise InputError(f"request must be a Request, got {type(request).__name__}")
    for name in (*request.shifts, *request.hold):
        check_choice("score", name, predictor.names)
    companions = companions_of(predictor) if companions is None else companions
    if strange := [each.card["name"] for each in companions if each.names != predictor.names]:
        raise InputError(f"companions must have the model's scores, got others of {', '.join(strange)}")
    if any(each.sha256 and each.sha256 == predictor.sha256 for each in companions):
        raise InputError("companions must be other models than the one that is asked, got the same")
    check_output(out, inputs=[path])
    _check_reach(path, request, settings, predictor)
    run_settings = RunSettings(settings.start, settings.components, settings.lime)
    explained = explain_clip(path, run_settings, predictor, stages)
    sound = sound_of(explained.clip.y, start=explained.clip.start)
    job = _Job(explained, sound, request, settings, tuple(companions), stages)
    problem = _problem_of(job)
    low, high = scale_of(predictor)
    objective = objective_of(request, predictor.names, spread=spread_of(predictor), scale=high - low)
    with stages.stage("steering"):
        steps = search(
            problem,
            objective,
            shares=[k / settings.n_steps for k in range(1, settings.n_steps + 1)],
            most_changed=request.most_changed,
            announce=stages.tell,
        )
    if not request.nearest:
        _check_met(job, problem, objective, steps[-1].found)
    with new_folder(out, inputs=[path]) as folder:
        steered = _written(job, problem, objective, steps, folder=folder, out=Path(out))
        explained.explanation.save(folder)
        with stages.stage("report"):
            write_steer_page(steered, folder)
        steered.record["seconds"] = stages.seconds
        (folder / "steer.json").write_text(to_json(steered.record) + "\n", encoding="utf-8")
    return steered


def shifts_like(
    path: str | Path, reference: str | Path, *, predictor: ScoringModel, start: float = 0.0
) -> dict[str, float]:
    """The shifts of mid-level features (of all scores, without such) that a clip lacks to be like a reference clip."""
    seconds, layer = predictor.window_seconds, predictor.mid_to_emotion
    here, there = (
        score_waveforms(predictor, [read_clip(each, start=begin, seconds=seconds).y])[0]
        for each, begin in ((path, start), (reference, 0.0))
    )
    names = predictor.names[: len(predictor.names) if layer is None else layer.weights.shape[1]]
    found = {name: float(there[k] - here[k]) for k, name in enumerate(names)}
    if not any(abs(shift) > ALIKE for shift in found.values()):
        raise InputError(f"like: {reference} is heard as {path} is, so that there is nothing to steer")
    return {name: shift for name, shift in found.items() if shift != 0.0}


def _check_reach(path: str | Path, request: Request, settings: SteerSettings, predictor: ScoringModel) -> None:
    """Refuse what no change could bring, before much is computed."""
    y = read_clip(path, start=settings.start, seconds=predictor.window_seconds).y
    if not np.isfinite(loudness(y)):
        raise InputError(
            f"{path}: is softer than -70 LUFS or shorter than .4 s, so that versions cannot be equally loud"
        )
    check_request(request, predictor.names, score_waveforms(predictor, [y])[0], scale=scale_of(predictor))


def _problem_of(job: _Job) -> Problem:
    listeners = [Listener(job.predictor), *(Listener(each) for each in job.used)]
    if job.settings.robust:
        listeners += [Listener(each, HALF_HOP) for each in (job.predictor, *job.used)]
    explained = job.explained
    weights, off = explained.explanation.weights, job.settings.lime.off
    return problem_of(job.sound, explained.components, weights, job.request, listeners=listeners, off=off)


def problem_of(
    sound: Sound,
    components: Components,
    weights: ComponentWeights,
    request: Request,
    *,
    listeners: Sequence[Listener],
    off: str,
) -> Problem:
    """The search for gains of a sound's components, whose ``weights`` were found with a cut of ``off`` in dB."""
    locations, where = components.locations(), ComponentMap(components.shares(), sound.spectrogram.shape)
    log_spectrogram = sound.spectrogram.log_spectrogram.numpy()
    parts = parts_of(where, locations, log_spectrogram, bounds_db=request.bounds_db(locations))
    slopes = np.zeros((len(weights.names), parts.n_groups))
    np.add.at(slopes.T, parts.group, weights.weights.T / (-20.0 * np.log10(off_gain(off))))
    hearing = Hearing(tuple(listeners), components)
    return Problem(hearing, parts, slopes, hearing.scores(np.zeros((1, components.n_components)))[:, 0])


def _check_met(job: _Job, problem: Problem, objective: Objective, found: Found) -> None:
    """InputError with the most that there is where ``found`` is not what was asked."""
    if not beyond(objective, found.shifts[0]).any():
        return
    job.stages.tell("looking for the most there is")
    most = most_there_is(problem, objective, from_=found, most_changed=job.request.most_changed).shifts[0]
    names, rows = job.predictor.names, np.flatnonzero(objective.aimed | objective.most)
    had = [f"{spoken(names[row])} {most[row]:+.2f}" for row in rows]
    asked = ", ".join(f"{spoken(name)} {asked_of(job.request, name)}" for name in job.request.shifts)
    held = f", while {', '.join(spoken(name) for name in job.request.hold)} should stay" if job.request.hold else ""
    raise InputError(
        f"{asked} cannot be had by changing {rules_words(job.request)}{held}; the most there is: {', '.join(had)}"
    )


def _check_file(job: _Job, objective: Objective, shift: Array) -> None:
    """InputError where a file, rounded to its bits and as loud as the original, has not what was found."""
    missed = beyond(objective, shift)
    if missed.any() and not job.request.nearest:
        names = ", ".join(spoken(name) for name, miss in zip(job.predictor.names, missed, strict=True) if miss)
        raise InputError(
            f"{job.explained.clip.path}: the shift of {names} is lost in a file of {job.settings.bits} bits that is as "
            "loud as the original; the clip is very soft, or the model hears level"
        )


def _written(
    job: _Job, problem: Problem, objective: Objective, steps: list[Step], *, folder: Path, out: Path
) -> Steered:
    """Write the versions, read them back, judge them."""
    explained, predictor, stages = job.explained, job.predictor, job.stages
    with stages.stage("rendering"):
        gains = [problem.parts.spread(step.found.gains_db) for step in steps]
        versions = {"steered": gains[-1]}
        if job.settings.write_steps:
            versions |= {f"{STEP}{k}": each for k, each in enumerate(gains[:-1], start=1)}
        waveforms, level_db = equally_loud(explained.components, versions)
        _write(folder, waveforms, bits=job.settings.bits)
    with stages.stage("re-scoring"):
        seconds = explained.clip.seconds
        before, after = (
            score_file(predictor, folder / f"{name}.wav", seconds=seconds) for name in ("original", "steered")
        )
        _check_file(job, objective, after - before)
        heard = [quantise(waveforms[name], bits=job.settings.bits) for name in ("original", "steered")]
        lasting = lasting_shifts(predictor, *heard, ways=_ways())
        others = [(str(each.card["name"]), each, each in job.used) for each in job.companions]
        transferred = tuple(transfers(others, *heard))
    with stages.stage("accounting"):
        final, shift = steps[-1].found, after - before
        account = account_of(problem, final.gains_db, shift)
        points = tuple(_point(job, problem, step, each) for step, each in zip(steps, gains, strict=True))
    with stages.stage("comparing with other changes"):
        controls = controls_of(
            problem,
            objective,
            final.gains_db,
            sound=job.sound,
            max_gain_db=job.request.max_gain_db,
            n_random=job.settings.n_random,
            seed=job.settings.seed,
        )
    names, moved = predictor.names, tuple(job.request.shifts)
    features = {name: feature_shifts(predictor, name, shift) for name in moved}
    shares = problem.parts.divided(account.shares)
    sentence = steering_in_words(
        named(names, shift),
        features,
        dict(zip(names, shares, strict=True)),
        gains_db=points[-1].gains_db,
        locations=explained.explanation.locations,
        moved=moved,
    )
    spectrogram = compute_spectrogram(explained.clip.y).log_spectrogram
    steered = Steered(
        out,
        job.request,
        explained.explanation,
        waveforms,
        before,
        after,
        points,
        shares,
        account.left,
        {name: found for name, found in features.items() if found},
        controls,
        lasting,
        transferred,
        sentence,
        spectrogram,
        {},
    )
    steered.record.update(_record(job, steered, level_db=level_db))
    write_csv(folder / "shifts.csv", steered.rows())
    write_csv(folder / "components.csv", _component_rows(steered))
    write_csv(folder / "points.csv", [point_row(point, names) for point in points])
    return steered


def _write(folder: Path, waveforms: dict[str, NDArray[np.float32]], *, bits: int) -> None:
    """Write the versions; steps go into a folder of their own."""
    for name, y in waveforms.items():
        is_step = name.startswith(STEP)
        (folder / "steps").mkdir(exist_ok=True) if is_step else None
        write_wav((folder / "steps" if is_step else folder) / f"{name}.wav", y, bits=bits)


def _ways() -> dict[str, Any]:
    can_mp3 = "mp3" in available_formats()
    return ({MP3: lambda y: through_codec(y, mp3(128.0))} if can_mp3 else {}) | WAYS


def equally_loud(
    components: Components, gains_db: Mapping[str, Array]
) -> tuple[dict[str, NDArray[np.float32]], dict[str, float]]:
    """Versions of a sound by name, of gains [K] in dB each, as loud as its "original", none beyond full scale.

    The second is the gain (dB) that each version was given.
    """
    unchanged = {"original": np.zeros(components.n_components)}
    sounds = {name: components.render(_amplitudes(each)) for name, each in (unchanged | dict(gains_db)).items()}
    levels = {name: loudness(y) for name, y in sounds.items()}
    given = {name: levels["original"] - level for name, level in levels.items()}
    if not np.isfinite(list(given.values())).all():  # too soft for a loudness
        given = dict.fromkeys(sounds, 0.0)
    matched = {name: y * np.float32(10.0 ** (given[name] / 20.0)) for name, y in sounds.items()}
    factor = min(1.0, CEILING / max(float(np.abs(y).max()) for y in matched.values()))
    static_db = float(20.0 * np.log10(factor))
    return (
        {name: (y * np.float32(factor)).astype(np.float32) for name, y in matched.items()},
        {name: gain_db + static_db for name, gain_db in given.items()},
    )


def _amplitudes(gains_db: Array) -> Array:
    return np.asarray(amplitudes(torch.from_numpy(gains_db)).numpy())


def _point(job: _Job, problem: Problem, step: Step, gains_db: Array) -> Point:
    """What a share of the request reached and costs."""
    components = job.explained.components
    original, changed = components.render(np.ones_like(gains_db)), components.render(_amplitudes(gains_db))
    with torch.inference_mode():
        asked_for = components.mix(torch.from_numpy(_amplitudes(gains_db)[None]).float())[0].cpu().numpy()
    cost = ear_cost(original, changed, asked_for=asked_for, visqol=step.share == 1.0)
    return Point(step.share, gains_db, step.found.shifts[0], problem.parts.size_db(step.found.gains_db), cost)


def point_row(point: Point, names: Sequence[str]) -> dict[str, Any]:
    """A point for a table: share, size, cost to the ear, shift of each score."""
    return {"share": point.share, "size_db": point.size_db, **point.cost.as_dict(), **named(names, point.shift)}


def _component_rows(steered: Steered) -> list[dict[str, Any]]:
    """A row a component: place, gain, and its share in the shift of each score that was asked for."""
    rows = []
    for k, location in enumerate(steered.explanation.locations):
        asked = {name: steered.names.index(name) for name in steered.request.shifts}
        shares = {f"share_{name}": float(steered.shares[row, k]) for name, row in asked.items()}
        rows.append({"component": k, **asdict(location), "gain_db": float(steered.gains_db[k]), **shares})
    return rows


def _record(job: _Job, steered: Steered, *, level_db: dict[str, float]) -> dict[str, Any]:
    """The content of steer.json, but for the seconds."""
    request, clip, names = job.request, job.explained.clip, steered.names
    shift, equaliser = named(names, steered.shift), steered.controls.equaliser
    point = steered.points[-1]
    return {
        "sentence": steered.sentence,
        "requested": {
            name: asked_of(request, name) if np.isinf(value) else value for name, value in request.shifts.items()
        },
        "reached": {name: shift[name] for name in request.shifts},
        "held": {name: shift[name] for name in request.hold},
        "shifts": shift,
        "gains_db": point.gains_db.tolist(),
        "mix": steered.mix,
        "size_db": point.size_db,
        "level_db": level_db,
        "cost": point.cost.as_dict(),
        "points": [point_row(each, names) for each in steered.points],
        "features": steered.features,
        "controls": {
            "random": [named(names, each) for each in steered.controls.random],
            "level": named(names, steered.controls.level),
            "equaliser": None
            if equaliser is None
            else {
                "shifts": named(names, equaliser.shift),
                "size_db": equaliser.size_db,
                "gains_db": equaliser.equaliser.gains_db.tolist(),
                "frequencies": equaliser.equaliser.frequencies.tolist(),
                "q": equaliser.equaliser.q.tolist(),
            },
        },
        "lasting": {way: named(names, each) for way, each in steered.lasting.items()},
        "account_left": named(names, steered.left),
        "transfer": [
            {"model": each.model, "origin": model.origin, "used": each.used, "shifts": named(names, each.shift)}
            for each, model in zip(steered.transfers, job.companions, strict=True)
        ],
        "predictions": {
            "before": scores_by_level(names, steered.before),
            "steered": scores_by_level(names, steered.after),
        },
        "components": job.explained.explanation.record["components"],
        "n_components": job.explained.components.n_components,
        "clip": clip.path,
        "clip_sha256": clip.sha256,
        "window": {"start": clip.start, "seconds": clip.seconds, "file_seconds": clip.file_seconds},
        "model": model_record(job.predictor),
        "request": asdict(request),
        "settings": _settings_record(job),
        "versions": package_versions(),
    }


def _settings_record(job: _Job) -> dict[str, Any]:
    text = job.explained.explanation.record["components"]["text"]
    return asdict(replace(job.settings, components=text))
