"""Findings about machines that have a GPU, a browser, room and shared memory, or lack them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from emomod import machine
from emomod.machine import browser, disk, gpu, shared_memory, temporary_folder

TOLD = "NVIDIA H200, 143771 MiB, 570.1"


@pytest.fixture
def has(monkeypatch):
    """A function that makes a machine of a torch and a driver."""

    def made(*, built_for=None, seen=False, driver=""):
        card = SimpleNamespace(name="NVIDIA H200", total_memory=150_000_000_000)
        cuda = SimpleNamespace(
            is_available=lambda: seen, device_count=lambda: 2, get_device_properties=lambda index: card
        )
        torch = SimpleNamespace(cuda=cuda, version=SimpleNamespace(cuda=built_for))
        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/nvidia-smi" if driver else None)
        answer = subprocess.CompletedProcess([], 0, f"{driver}\n", "")
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)

    return made


def test_gpu_against_the_design_name_memory_and_driver(has):
    has(built_for="12.8", seen=True, driver=TOLD)
    found = gpu()
    assert found.state == "ok"
    assert found.detail == "NVIDIA H200, 150 GB; NVIDIA H200, 150 GB, driver 570.1, torch built for CUDA 12.8"


@pytest.mark.parametrize(
    ("built_for", "words", "cure"),
    [(None, "built without CUDA, cannot use", "install torch with CUDA"), ("13.0", "built for CUDA 13.0", "a driver")],
)
def test_gpu_against_the_design_one_that_torch_cannot_use_is_said(has, built_for, words, cure):
    has(built_for=built_for, driver=TOLD)
    found = gpu()
    assert found.state == "missing"
    assert found.detail.startswith(f"{TOLD}, which ")
    assert words in found.detail
    assert cure in str(found.cure)


def test_gpu_against_the_design_none_is_worth_knowing_alone(has, monkeypatch):
    has()
    assert (gpu().state, gpu().cure) == ("info", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert gpu().detail == "unknown without torch"


@pytest.mark.parametrize("error", [OSError("no"), subprocess.TimeoutExpired("nvidia-smi", 20)])
def test_gpu_against_the_design_a_driver_that_does_not_answer(has, monkeypatch, error):
    def fail(*_, **__):
        raise error

    has(driver=TOLD)
    monkeypatch.setattr(subprocess, "run", fail)
    assert gpu().detail == "no NVIDIA GPU; everything works on the CPU"


@pytest.mark.parametrize("name", ["google-chrome", "firefox"])
def test_browser_against_the_design(monkeypatch, name):
    monkeypatch.setattr(shutil, "which", lambda asked: f"/usr/bin/{name}" if asked == name else None)
    assert (browser().state, browser().detail) == ("ok", f"/usr/bin/{name}, to look at reports and studies")
    monkeypatch.setattr(shutil, "which", lambda asked: None)
    monkeypatch.setattr(sys, "platform", "linux")
    assert (browser().state, browser().cure) == ("info", None)


def test_browser_against_the_design_applications_of_macos(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda asked: None)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(Path, "exists", lambda self: self.name == "Firefox.app")
    assert browser().detail == "/Applications/Firefox.app, to look at reports and studies"


@pytest.mark.parametrize(("free", "state"), [(50.0, "ok"), (3.0, "ok"), (2.9, "info"), (0.2, "info"), (0.1, "problem")])
@pytest.mark.parametrize("look", [disk, temporary_folder])
def test_room_against_theory(monkeypatch, free, state, look):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=int(free * 1e9)))
    found = look()
    assert found.state == state
    assert f"{free:.1f} GB free in " in found.detail
    assert (found.cure is None) == (state == "ok")


def test_room_against_the_design_a_folder_that_cannot_be_written(monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert disk().detail == f"{Path.cwd()} cannot be written"


@pytest.mark.parametrize(("size", "state"), [(8.0, "ok"), (0.2, "ok"), (0.067, "info")])
def test_shared_memory_against_theory(monkeypatch, tmp_path, size, state):
    monkeypatch.setattr(machine, "SHARED", tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(total=int(size * 1e9)))
    found = shared_memory()
    assert found.state == state
    assert (found.cure is None) == (state == "ok")
    monkeypatch.setattr(machine, "SHARED", tmp_path / "none")
    assert shared_memory().state == "info"
