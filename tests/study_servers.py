"""Studies served to tests: without a network, and at an address for a browser."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import httpx
import uvicorn
from starlette.types import ASGIApp

from listening_study.package import Study
from listening_study.server.app import make_app
from listening_study.server.database import open_database
from listening_study.server.serve import listening_socket, server_config
from listening_study.server.service import Service, make_service
from listening_study.server.settings import ServeSettings
from listening_study.server.store import Store

TOKEN = "a token of the tests"
QUICK = ServeSettings(headphone_trials=0, least_listened_s=0.05)


@contextmanager
def opened(study: Study, folder: Path, settings: ServeSettings | None = None) -> Iterator[Service]:
    """What a server of the study needs, with a database in ``folder``."""
    database = open_database(f"sqlite:///{folder}/study.db")
    try:
        yield make_service(study, Store(database, len(study.lists)), token=TOKEN, settings=settings)
    finally:
        database.close()


@contextmanager
def served(study: Study, folder: Path, settings: ServeSettings = QUICK) -> Iterator[tuple[str, Service]]:
    """The address of a server of the study in a thread, and what it serves."""
    with opened(study, folder, settings) as service:
        listening = listening_socket("127.0.0.1", 0)
        server = uvicorn.Server(server_config(make_app(service)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", service
        finally:
            server.should_exit = server.force_exit = True
            thread.join()
            listening.close()


# ---- as processes ----------------------------------------------------------------------------------------------------

RUN = """
import sys
from listening_study.server.serve import serve
serve(sys.argv[1], token="a token of the tests", db=sys.argv[2], port=0, ready=lambda port: print(port, flush=True))
"""


@contextmanager
def started(study: Study, db: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The address of a server in a process of its own, which is killed where it has not ended by itself."""
    command = [sys.executable, "-c", RUN, str(study.folder), db]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}", server
        finally:
            server.kill()


FOLDERS = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/bin"), Path("/usr/bin")]
PROGRAMS = next((each for each in FOLDERS if (each / "initdb").is_file() and (each / "postgres").is_file()), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of a server of our own, without the name of a database; root runs it as postgres."""
    assert PROGRAMS is not None
    user, folder, port = "postgres" if os.geteuid() == 0 else None, Path(tempfile.mkdtemp(prefix="pg")), free_port()
    if user:
        shutil.chown(folder, user)
    make = [str(PROGRAMS / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "study", "-N", "-E", "UTF8"]
    run = [str(PROGRAMS / "postgres"), "-D", str(folder / "data"), f"-p{port}", "-k", str(folder), "-h127.0.0.1"]
    try:
        subprocess.run(make, check=True, capture_output=True, user=user, cwd=folder)
        with subprocess.Popen(run, stderr=subprocess.PIPE, text=True, user=user, cwd=folder) as server:
            assert server.stderr is not None
            next(line for line in server.stderr if "ready to accept connections" in line)
            yield f"postgresql://study@127.0.0.1:{port}/"
            server.send_signal(signal.SIGINT)  # stop without waiting for connections
            server.stderr.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- word by word ----------------------------------------------------------------------------------------------------


def connected(address: str) -> socket.socket:
    """A connection to the server at ``address``."""
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10.0)


def rest_of(connection: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    found = bytearray()
    with suppress(ConnectionResetError):
        while part := connection.recv(1 << 20):
            found += part
    return bytes(found)


def asked(address: str, text: str) -> bytes:
    """The answer to a request as it is written; empty where the connection breaks while it is sent."""
    with connected(address) as connection:
        with suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(text.encode("latin-1"))
        return rest_of(connection)


# ---- without a network -----------------------------------------------------------------------------------------------


class Application(httpx.BaseTransport):
    """Hands requests to an application without a network."""

    def __init__(self, app: ASGIApp) -> None:
        self.transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            response = await self.transport.handle_async_request(request)
            return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())

        return anyio.run(ask)


def client_of(service: Service) -> httpx.Client:
    return httpx.Client(transport=Application(make_app(service)), base_url="http://study")


def join(client: httpx.Client, key: str = "key") -> str:
    sha256 = client.get("/api/study").json()["consent"]["sha256"]
    body = {"key": key, "consent_sha256": sha256, "device": "computer"}
    return str(client.post("/api/join", json=body).json()["participant"])


def answer(trial: int, *, key: str | None = None, **changes: object) -> dict[str, object]:
    payload = {
        "response": "first",
        "confidence": 3,
        "rt_ms": 900,
        "listened_ms": [500, 400],
        "n_plays": 1,
        "n_switches": 2,
    }
    return {"key": key or f"k{trial}", "kind": "answer", "trial": trial, "payload": payload | changes}


def send(client: httpx.Client, person: str, *events: object):
    return client.post(f"/api/p/{person}/events", json={"session": "visit", "events": events})


def state(client: httpx.Client, person: str):
    return client.get(f"/api/p/{person}/state").json()
