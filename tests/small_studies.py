"""A small study: four sounds of 2.5 s, two targets, made in seconds."""

from dataclasses import replace
from pathlib import Path

from fakes import sound_file
from small_runs import SECONDS, small_predictor

from emomod.attribution.lime import LimeSettings
from listening_study.package import Study, make_study
from listening_study.plan import StudyPlan, items_of

LIME = LimeSettings(n_perturbations=256, n_held_out=32, batch_size=64)


def small_plan(folder: Path, *, n_items: int = 4) -> StudyPlan:
    """A plan on ``n_items`` sounds that are written into ``folder``."""
    clips = [sound_file(folder, seconds=SECONDS, name=f"clip{k}.wav", seed=k) for k in range(n_items)]
    return StudyPlan("Small", items_of(clips), ("articulation", "energy"))


def small_study(folder: Path, **changes: object) -> Study:
    """The study of ``small_plan`` with ``changes`` of the plan, in ``folder``/study."""
    plan = replace(small_plan(folder), **changes)  # type: ignore[arg-type]
    return make_study(plan, folder / "study", predictor=small_predictor(), lime=LIME)
