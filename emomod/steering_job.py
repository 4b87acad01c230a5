"""Steering: a clip changed as little as possible so that the model hears what was asked for, and the proof of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.audio import quantise, read_clip, write_wav
from emomod.corpus.codecs import available_formats, mp3, through_codec
from emomod.ear import ear_cost
from emomod.errors import InputError
from emomod.explained import ExplainedClip, explain_clip
from emomod.labels import spoken
from emomod.loudness import loudness
from emomod.model.companions import companions_of
from emomod.model.predictor import ScoringModel, load_predictor, scale_of, score_waveforms
from emomod.model.spread import spread_of
from emomod.output import check_output, new_folder, to_json, write_csv
from emomod.report.steer_page import write_steer_page
from emomod.report.steer_words import rules_words
from emomod.rescoring import score_file
from emomod.stages import Stages
from emomod.steered import Point, Steered, asked_of, named
from emomod.steering.account import account_of, feature_shifts
from emomod.steering.controls import Controls, controls_of
from emomod.steering.hearing import listeners_of, searched_with
from emomod.steering.objective import Objective, objective_of
from emomod.steering.problem import problem_of
from emomod.steering.request import Request, check_request
from emomod.steering.robustness import WAYS, Transfer, lasting_shifts
from emomod.steering.search import Step, beyond, most_there_is, search
from emomod.steering.settings import SteerSettings
from emomod.steering.solve import Found, Problem
from emomod.steering.versions import ORIGINAL, equally_loud
from emomod.steering.words import steering_in_words
from emomod.steering_record import Told, component_rows, point_row, record_of

MP3 = "mp3 at 128 kbit/s"
STEERED, STEP = "steered", "step_"  # versions

Array = NDArray[np.float64]
Wave = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Job:
    """A request on its way: all that the parts of the job need."""

    explained: ExplainedClip
    request: Request
    settings: SteerSettings
    companions: tuple[ScoringModel, ...]
    origins: tuple[str, ...]  # of companions, as they were named; empty for those that ship
    problem: Problem
    objective: Objective
    stages: Stages

    @property
    def predictor(self) -> ScoringModel:
        return self.explained.predictor


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
    default model. ``settings.robust`` has the search listen to them, too, all but the last of several. Into ``out`` go
    original.wav and steered.wav, equally loud, steer.json, tables, the explanation and a report. InputError where the
    request contradicts itself or cannot be met; it tells the most there is.
    """
    settings, predictor, stages = settings or SteerSettings(), predictor or load_predictor(), stages or Stages()
    if not isinstance(request, Request):
        raise InputError(f"request must be a Request, got {type(request).__name__}")
    others = _checked_companions(companions_of(predictor) if companions is None else companions, predictor)
    check_output(out, inputs=[path])
    _check_reach(path, request, settings, predictor)
    origins = tuple("" if companions is None else each.origin for each in others)
    job = _job_of(path, request, settings, predictor, others, origins, stages)
    with stages.stage("steering"):
        shares = [k / settings.n_steps for k in range(1, settings.n_steps + 1)]
        most = request.most_changed
        steps = search(job.problem, job.objective, shares=shares, most_changed=most, announce=stages.tell)
        if not request.nearest:
            _check_met(job, steps[-1].found)
    with new_folder(out, inputs=[path]) as folder:
        steered = _written(job, steps, folder=folder, out=Path(out))
        job.explained.explanation.save(folder)
        with stages.stage("report"):
            write_steer_page(steered, folder)
        steered.record["seconds"] = stages.seconds
        (folder / "steer.json").write_text(to_json(steered.record) + "\n", encoding="utf-8")
    return steered


def _checked_companions(companions: Sequence[ScoringModel], model: ScoringModel) -> tuple[ScoringModel, ...]:
    if strange := [each.card["name"] for each in companions if each.names != model.names]:
        raise InputError(f"companions must have the model's scores, got others of {', '.join(strange)}")
    if any(each.sha256 and each.sha256 == model.sha256 for each in companions):
        raise InputError("companions must be other models than the one that is asked, got the same")
    return tuple(companions)


def _check_reach(path: str | Path, request: Request, settings: SteerSettings, predictor: ScoringModel) -> None:
    """Refuse what no change could bring, before much is computed."""
    y = read_clip(path, start=settings.start, seconds=predictor.window_seconds).y
    if not np.isfinite(loudness(y)):
        raise InputError(
            f"{path}: is softer than -70 LUFS or shorter than .4 s, so that versions cannot be equally loud"
        )
    check_request(request, predictor.names, score_waveforms(predictor, [y])[0], scale=scale_of(predictor))


def _job_of(
    path: str | Path,
    request: Request,
    settings: SteerSettings,
    predictor: ScoringModel,
    companions: tuple[ScoringModel, ...],
    origins: tuple[str, ...],
    stages: Stages,
) -> _Job:
    """Explain the clip and set the search up."""
    explained = explain_clip(
        path, predictor, stages, start=settings.start, components=settings.components, method=settings.lime
    )
    problem = problem_of(
        explained.sound,
        explained.components,
        explained.explanation.weights,
        request,
        listeners=listeners_of(predictor, companions, robust=settings.robust),
        off=settings.lime.off,
    )
    low, high = scale_of(predictor)
    objective = objective_of(request, predictor.names, spread=spread_of(predictor), scale=high - low)
    return _Job(explained, request, settings, companions, origins, problem, objective, stages)


def _check_met(job: _Job, found: Found) -> None:
    """InputError with the most that there is where ``found`` is not what was asked."""
    objective = job.objective
    if not beyond(objective, found.shifts[0]).any():
        return
    job.stages.tell("looking for the most there is")
    most = most_there_is(job.problem, objective, from_=found, most_changed=job.request.most_changed).shifts[0]
    names, rows = job.predictor.names, np.flatnonzero(objective.aimed | objective.most)
    had = [f"{spoken(names[row])} {most[row]:+.2f}" for row in rows]
    asked = ", ".join(f"{spoken(name)} {asked_of(job.request, name)}" for name in job.request.shifts)
    held = f", while {', '.join(spoken(name) for name in job.request.hold)} should stay" if job.request.hold else ""
    raise InputError(
        f"{asked} cannot be had by changing {rules_words(job.request)}{held}; the most there is: {', '.join(had)}"
    )


def _check_file(job: _Job, shift: Array) -> None:
    """InputError where a file, rounded to its bits and as loud as the original, has not what was found."""
    missed = beyond(job.objective, shift)
    if missed.any() and not job.request.nearest:
        names = ", ".join(spoken(name) for name, miss in zip(job.predictor.names, missed, strict=True) if miss)
        raise InputError(
            f"{job.explained.clip.path}: the shift of {names} is lost in a file of {job.settings.bits} bits that is as "
            "loud as the original; the clip is very soft, or the model hears level"
        )


def _written(job: _Job, steps: Sequence[Step], *, folder: Path, out: Path) -> Steered:
    """Write the versions, read them back, judge them."""
    explained, names, moved = job.explained, job.predictor.names, tuple(job.request.shifts)
    with job.stages.stage("rendering"):
        points = tuple(_point(job, step) for step in steps)
        waveforms, level_db = equally_loud(explained.components, _versions(job, points))
        _write(folder, waveforms, bits=job.settings.bits)
    with job.stages.stage("re-scoring"):
        seconds = explained.clip.seconds
        before, after = (
            score_file(job.predictor, folder / f"{name}.wav", seconds=seconds) for name in (ORIGINAL, STEERED)
        )
        _check_file(job, after - before)
        heard = [quantise(waveforms[name], bits=job.settings.bits) for name in (ORIGINAL, STEERED)]
        lasting = lasting_shifts(job.predictor, *heard, ways=_ways())
        transfers = _transfers(job, *heard)
    with job.stages.stage("accounting"):
        account = account_of(job.problem, steps[-1].found.gains_db, after - before)
        shares = job.problem.parts.divided(account.shares)
        features = {name: feature_shifts(job.predictor, name, after - before) for name in moved}
    with job.stages.stage("comparing with other changes"):
        controls = _controls(job, steps[-1].found.gains_db)
    sentence = steering_in_words(
        named(names, after - before),
        features,
        dict(zip(names, shares, strict=True)),
        gains_db=points[-1].gains_db,
        locations=explained.explanation.locations,
        moved=moved,
    )
    steered = Steered(
        folder=out,
        request=job.request,
        explanation=explained.explanation,
        waveforms=waveforms,
        before=before,
        after=after,
        points=points,
        shares=shares,
        left=account.left,
        features={name: found for name, found in features.items() if found},
        controls=controls,
        lasting=lasting,
        transfers=transfers,
        sentence=sentence,
        log_spectrogram=explained.sound.spectrogram.log_spectrogram,
        record={},
    )
    _tell(job, steered, folder=folder, level_db=level_db)
    return steered


def _point(job: _Job, step: Step) -> Point:
    """What a share of the request reached and costs."""
    components, gains_db = job.explained.components, job.problem.parts.spread(step.found.gains_db)
    factors = torch.from_numpy(10.0 ** (gains_db / 20.0)).float()[None]
    with torch.inference_mode():
        asked_for = components.mix(factors)[0].cpu().numpy()
        changed = components.sound(factors)[0].cpu().numpy()
    cost = ear_cost(job.explained.clip.y, changed, asked_for=asked_for, visqol=step.share == 1.0)
    return Point(step.share, gains_db, step.found.shifts[0], job.problem.parts.size_db(step.found.gains_db), cost)


def _versions(job: _Job, points: Sequence[Point]) -> dict[str, Array]:
    """Gains [K] in dB of the versions that are written, by name."""
    steps = {f"{STEP}{k}": point.gains_db for k, point in enumerate(points[:-1], start=1)}
    return {STEERED: points[-1].gains_db} | (steps if job.settings.write_steps else {})


def _write(folder: Path, waveforms: dict[str, Wave], *, bits: int) -> None:
    """Write the versions; steps go into a folder of their own."""
    for name, y in waveforms.items():
        place = folder / "steps" if name.startswith(STEP) else folder
        place.mkdir(exist_ok=True)
        write_wav(place / f"{name}.wav", y, bits=bits)


def _ways() -> dict[str, Callable[[Wave], Wave]]:
    """What is done to both files; mp3 where this machine can write it."""
    return ({MP3: partial(through_codec, codec=mp3(128.0))} if "mp3" in available_formats() else {}) | WAYS


def _transfers(job: _Job, original: Wave, steered: Wave) -> tuple[Transfer, ...]:
    """What the companions hear in both files."""
    used = searched_with(job.companions) if job.settings.robust else ()
    return tuple(
        Transfer(str(each.card["name"]), each in used, *score_waveforms(each, [original, steered]))
        for each in job.companions
    )


def _controls(job: _Job, gains_db: Array) -> Controls:
    return controls_of(
        job.problem,
        job.objective,
        gains_db,
        sound=job.explained.sound,
        max_gain_db=job.request.max_gain_db,
        n_random=job.settings.n_random,
        seed=job.settings.seed,
    )


def _tell(job: _Job, steered: Steered, *, folder: Path, level_db: dict[str, float]) -> None:
    """Fill the record, and write the tables."""
    text = job.explained.explanation.record["components"]["text"]
    settings = asdict(replace(job.settings, components=text))
    steered.record.update(record_of(steered, Told(job.explained, settings, job.origins, level_db)))
    write_csv(folder / "shifts.csv", steered.rows())
    write_csv(folder / "components.csv", component_rows(steered))
    write_csv(folder / "points.csv", [point_row(point, steered.names) for point in steered.points])
