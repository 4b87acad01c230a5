"""The server as it is started: what it refuses, and that a kill loses nothing."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from small_studies import small_study
from study_servers import started

from emomod.errors import InputError
from listening_study.server.serve import listening_socket, new_token, serve

LOAD = Path(__file__).parents[1] / "benchmarks" / "study_load.py"


def test_ports_iv():
    with listening_socket("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port: 127.0.0.1:{port} cannot be listened at .Address already in use"):
            listening_socket("127.0.0.1", port)
    with pytest.raises(InputError, match="port must be at most 65535, got 70000"):
        listening_socket("127.0.0.1", 70000)
    with pytest.raises(InputError, match="port must be a whole number"):
        listening_socket("127.0.0.1", -1)
    with pytest.raises(InputError, match="cannot be listened at"):
        listening_socket("no such host.invalid", 0)


def test_a_port_that_was_just_left_can_be_taken_again():
    with listening_socket("127.0.0.1", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            first.accept()[0].close()
    listening_socket("127.0.0.1", port).close()


def test_a_folder_without_a_study_iv(tmp_path):
    with pytest.raises(InputError, match="holds no study"):
        serve(tmp_path, token=new_token())


def test_tokens_differ():
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) == 32


def test_serving_until_interrupted(tmp_path):
    """The port is told once it can be asked; an interrupt ends all without an error."""
    study = small_study(tmp_path, targets=("energy",), versions=("enhanced",), repeats=0)
    with started(study, f"sqlite:///{tmp_path}/study.db") as (address, server):
        assert httpx.get(address + "/", timeout=20.0).status_code == 200
        assert httpx.get(address + "/experimenter").status_code == 401
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=30)
    assert (server.returncode, said) == (0, "")


def test_load_with_a_kill_loses_and_doubles_nothing():
    command = [sys.executable, str(LOAD), "--listeners", "12", "--trials", "8", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["sent"], found["stored"], found["rows_of_the_table"]) == (96, 96, 96)
    assert (found["lost"], found["doubled"], found["changed"]) == (0, 0, 0)
    assert (found["participants"], found["finished"], found["kills"]) == (12, 12, 1)
    assert done.stderr == ""
