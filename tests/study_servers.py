"""Studies served to tests: without a network, and at an address for a browser."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import uvicorn
from starlette.types import ASGIApp

from listening_study.package import Study
from listening_study.server.app import make_app
from listening_study.server.database import open_database
from listening_study.server.serve import listening_socket
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
        config = uvicorn.Config(make_app(service), access_log=False, lifespan="off", log_level="warning")
        server = uvicorn.Server(config)
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
