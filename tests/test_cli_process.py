"""How the command starts its process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emomod import __main__ as start
from emomod.cli.process import HUGE_PAGES_THAT_ARE_KEPT, TUNABLES, keep_huge_pages, wait_quietly

LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
TELLS = """
import json, os, sys
from emomod.cli.process import keep_huge_pages
print(json.dumps([os.getpid(), os.environ.get("GLIBC_TUNABLES")]), flush=True)
keep_huge_pages()
print(json.dumps([sys.argv[1:], sys.executable, sys.stdin.read(), sys.flags.dev_mode]))
"""
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux a process is told how to keep memory")


def untold():
    """The environment without a word on memory."""
    return {name: value for name, value in os.environ.items() if name != TUNABLES}


def told(tmp_path, **environment):
    """What a process says before and after it asks for huge pages."""
    script = tmp_path / "a script.py"
    script.write_text(TELLS, encoding="utf-8")
    command = [sys.executable, "-X", "dev", str(script), "two words", "-x", ""]
    done = subprocess.run(
        command, env=untold() | environment, input="given", capture_output=True, text=True, check=True, timeout=60
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@on_linux
def test_a_process_starts_itself_anew_once_with_all_that_it_was_given(tmp_path):
    (first, before), (second, anew), after = told(tmp_path)
    assert first == second  # whoever started it waits for it and can end it
    assert (before, anew) == (None, HUGE_PAGES_THAT_ARE_KEPT)
    assert after == [["two words", "-x", ""], sys.executable, "given", True]


@on_linux
def test_a_process_that_was_told_how_memory_is_kept_goes_on(tmp_path):
    (_, before), after = told(tmp_path, **{TUNABLES: ""})
    assert before == ""
    assert after[0] == ["two words", "-x", ""]


@pytest.mark.skipif(not any(map(os.path.exists, LOADERS)), reason="no loader of glibc is where it usually is")
def test_glibc_knows_what_it_is_told():
    loader = next(filter(os.path.exists, LOADERS))
    told = {TUNABLES: HUGE_PAGES_THAT_ARE_KEPT}
    done = subprocess.run([loader, "--list-tunables"], env=told, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this glibc cannot list its tunables")
    known = dict(re.findall(r"^(glibc[.a-z_]+): 0x([0-9a-f]+)", done.stdout, re.MULTILINE))
    for name, value in (each.split("=") for each in HUGE_PAGES_THAT_ARE_KEPT.split(":")):
        assert int(known[name], 16) == int(value)


@on_linux
@pytest.mark.skipif(
    not HUGE_PAGES.exists() or "[never]" in HUGE_PAGES.read_text(encoding="utf-8"), reason="there are no huge pages"
)
def test_large_arrays_of_the_command_lie_in_huge_pages():
    script = """
import re
from emomod.cli.process import keep_huge_pages
keep_huge_pages()
import numpy as np
array = np.ones(2**25)
found = re.search(r"AnonHugePages: *([0-9]+) kB", open("/proc/self/smaps_rollup").read())
print(int(found[1]) * 2**10 / array.nbytes)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=untold(), capture_output=True, text=True, check=True, timeout=60
    )
    assert float(done.stdout) > 0.9


def test_other_systems_go_on(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("started anew"))
    keep_huge_pages()
    assert not os.environ


def test_the_command_asks_before_it_loads_anything_else(monkeypatch):
    def execv(*given):
        raise SystemExit(repr(given))

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "emomod", "run", "a b.wav"])
    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setattr(os, "environ", {})
    with pytest.raises(SystemExit) as asked:
        start.command()
    words = [sys.executable, "-m", "emomod", "run", "a b.wav"]
    assert asked.value.code == repr((sys.executable, words))


def test_threads_wait_quietly_unless_the_environment_says_how(monkeypatch):
    monkeypatch.setattr(os, "environ", {"GOMP_SPINCOUNT": "7"})
    wait_quietly()
    assert os.environ == {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "7"}
