"""What lies under the name of a sound is sent only where it is what was made."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from study_servers import client_of, join, opened, state

from benchmarks.study_load import write_study
from listening_study.server import sounds


@pytest.fixture
def own(tmp_path) -> Iterator[tuple[httpx.Client, str, Path, bytes]]:
    """A client, the address and the file of a sound of a study of its own, and its bytes."""
    made = write_study(tmp_path / "study", n_trials=3, seed=0)
    with opened(made, tmp_path) as service:
        client = client_of(service)
        person = join(client)
        name = state(client, person)["trials"][0]["sounds"][0]
        path = made.path(service.presenter.sound(service.store.participant(person), name))
        yield client, f"/api/p/{person}/sounds/{name}", path, path.read_bytes()


def test_a_sound_that_is_no_longer_itself_is_not_sent(own, tmp_path):
    client, address, path, whole = own
    secret = tmp_path / "secret.txt"
    secret.write_text("what nobody is to see")

    def link(to: str | Path) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(to)

    def pipe() -> None:
        path.unlink()
        os.mkfifo(path)

    says = {
        "it was changed": [
            lambda: path.write_bytes(whole[:-2]),
            lambda: link(secret),
            lambda: link("../../secret.txt"),
            lambda: link(tmp_path / "study" / "private" / "key.csv"),
            lambda: path.write_bytes(b""),
        ],
        "it is no file": [lambda: link("/dev/zero"), pipe, lambda: link(tmp_path)],
        "No such file": [lambda: link(tmp_path / "nowhere"), path.unlink],
        "Too many levels": [lambda: link(path)],
    }
    for reason, changes in says.items():
        for change in changes:
            if path.is_symlink():
                path.unlink()
                path.write_bytes(whole)
            change()
            response = client.get(address)
            assert response.status_code == 503
            assert response.json()["error"].startswith(f"a sound cannot be read ({reason}"), response.text
            assert int(response.headers["retry-after"]) > 0
            assert b"nobody" not in response.content


def test_a_sound_that_is_none_leaves_no_file_open(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "other").write_bytes(b"other")
    before = len([*Path("/proc/self/fd").iterdir()])
    for name, error in (("", sounds.ChangedSoundError), ("pipe", sounds.ChangedSoundError), ("gone", OSError)):
        for _ in range(20):
            with pytest.raises(error):
                sounds.read_sound(tmp_path / name, sha256="0" * 64)
    for _ in range(20):
        with pytest.raises(sounds.ChangedSoundError):
            sounds.read_sound(tmp_path / "other", sha256="0" * 64)
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_a_sound_that_is_linked_to_itself_elsewhere_is_sent(own, tmp_path):
    client, address, path, whole = own
    path.rename(tmp_path / "elsewhere.wav")
    path.symlink_to(tmp_path / "elsewhere.wav")
    assert client.get(address).content == whole


def test_files_that_are_too_long_are_not_read_whole(own, monkeypatch):
    client, address, _, whole = own
    monkeypatch.setattr(sounds, "MAX_SOUND", len(whole) - 2)
    assert client.get(address).status_code == 503
