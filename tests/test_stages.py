import time

import pytest

from emomod.stages import Stages


def test_stages_against_theory(monkeypatch):
    now = iter((0.0, 1.5, 2.0, 2.25, 10.0, 10.5))
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    told: list[str] = []
    stages = Stages(told.append)
    with stages.stage("reading"):
        pass
    with stages.stage("explaining"):
        stages.progress(16, 2048)
    with stages.stage("reading"):
        pass
    assert stages.seconds == {"reading": 2.0, "explaining": 0.25, "total": 2.25}  # times of one name add up
    assert told == ["reading", "explaining", "explaining: 16 of 2048", "reading"]


def test_stages_against_theory_time_counts_when_a_stage_fails():
    stages = Stages()  # announces to nobody

    def fail():
        with stages.stage("rendering"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(stages.seconds) == ["rendering", "total"]


def test_stages_against_theory_milliseconds(monkeypatch):
    now = iter((0.0, 0.12345, 1.0, 1.23481))
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    stages = Stages()
    for name in ("reading", "explaining"):
        with stages.stage(name):
            pass
    assert stages.seconds == {"reading": 0.123, "explaining": 0.235, "total": 0.358}
