"""A small study: four sounds of 2.5 s, two targets, made in seconds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from fakes import sound_file
from small_runs import SECONDS, small_predictor

from emomod.attribution.lime import LimeSettings
from listening_study.package import Study, make_study
from listening_study.plan import StudyPlan, items_of
from listening_study.responses import Value
from listening_study.table import Answer, Given, Session, answers_of
from listening_study.trials import Trial

LIME = LimeSettings(n_perturbations=256, n_held_out=32, batch_size=64)


def small_plan(folder: Path, *, n_items: int = 4) -> StudyPlan:
    """A plan on ``n_items`` sounds that are written into ``folder``."""
    clips = [sound_file(folder, seconds=SECONDS, name=f"clip{k}.wav", seed=k) for k in range(n_items)]
    return StudyPlan("Small", items_of(clips), ("articulation", "energy"))


def small_study(folder: Path, **changes: object) -> Study:
    """The study of ``small_plan`` with ``changes`` of the plan, in ``folder``/study."""
    plan = replace(small_plan(folder), **changes)  # type: ignore[arg-type]
    return make_study(plan, folder / "study", predictor=small_predictor(), method=LIME)


def simulated_answers(study: Study, *, n_listeners: int, sensitivity: float, seed: int = 0) -> tuple[Answer, ...]:
    """Answers of listeners who hear ``sensitivity`` times what the model predicts, over noise of 1, in units of .1."""
    rng = np.random.default_rng(seed)
    found: list[Answer] = []
    for listener in range(n_listeners):
        session = Session(f"p{listener:02d}", f"s{listener:02d}", "desktop", True, "simulated", "0")
        for trial in study.lists[listener % len(study.lists)]:
            given = Given(_said(study, trial, sensitivity, rng), rt_ms=3000.0, listened_ms=5000.0)
            found += answers_of(study, trial, session=session, given=given)
    return tuple(found)


def _said(study: Study, trial: Trial, sensitivity: float, rng: np.random.Generator) -> Value:
    """What one listener says; which of two is louder is always heard, and identical versions are the same."""

    def heard(condition: str) -> float:
        if trial.attribute == "loudness":
            return 100.0 * (condition == "original")
        return 10.0 * sensitivity * study.predicted(trial.item, condition, trial.attribute)

    levels = [heard(condition) + rng.normal() for condition in trial.heard]
    if trial.trial_type == "scale":
        return float(np.clip(np.rint(5 + levels[0]), 1, 9))
    if trial.trial_type == "sliders":
        return [float(np.clip(50 + 10 * level, 0, 100)) for level in levels]
    if trial.trial_type == "ccr":
        return float(np.clip(np.rint(levels[1] - levels[0]), -3, 3))
    if trial.trial_type == "abx":
        return "first" if trial.heard[2] == trial.heard[0] or rng.random() < 0.5 else "second"
    return "same" if len(set(trial.heard)) == 1 else "first" if levels[0] > levels[1] else "second"
