import time

import pytest

from emomod.stages import Event, Stages


def test_stages_against_theory(monkeypatch):
    now = iter((0.0, 0.0, 1.5, 2.0, 2.125, 2.1875, 2.25, 10.0, 10.5))
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    told: list[Event] = []
    stages = Stages(told.append)
    with stages.stage("reading"):
        pass
    with stages.stage("explaining"):
        stages.progress(16, 2048)
        stages.tell("drawing masks")
    with stages.stage("reading"):
        pass
    assert stages.seconds == {"reading": 2.0, "explaining": 0.25, "total": 2.25}  # times of one name add up
    assert told == [
        Event("stage", "reading"),
        Event("ended", "reading", 1.5),
        Event("stage", "explaining"),
        Event("progress", "explaining", 0.125, 16, 2048),
        Event("tell", "explaining", 0.1875, what="drawing masks"),
        Event("ended", "explaining", 0.25),
        Event("stage", "reading"),
        Event("ended", "reading", 0.5),
    ]
    words = ["reading", "explaining", "explaining: 16 of 2048", "explaining: drawing masks"]
    assert list(dict.fromkeys(map(str, told))) == words


def test_stages_against_theory_time_counts_when_a_stage_fails():
    stages = Stages()  # announces to nobody

    def fail():
        with stages.stage("rendering"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(stages.seconds) == ["rendering", "total"]


def test_stages_against_theory_milliseconds(monkeypatch):
    now = iter((0.0, 0.0, 0.12345, 1.0, 1.23481))
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    stages = Stages()
    for name in ("reading", "explaining"):
        with stages.stage(name):
            pass
    assert stages.seconds == {"reading": 0.123, "explaining": 0.235, "total": 0.358}
