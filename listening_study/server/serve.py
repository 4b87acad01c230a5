"""Serves a study until it is stopped. Nothing is logged about who asked: no address, no browser."""

import secrets
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from emomod.checks import check_count
from emomod.errors import InputError
from listening_study.package import read_study
from listening_study.server.app import make_app
from listening_study.server.connections import Connection
from listening_study.server.database import open_database, usable
from listening_study.server.service import make_service
from listening_study.server.settings import ServeSettings
from listening_study.server.store import Store

MAX_PORT = 65535
STOPPING_S = 10  # for requests that are under way


def new_token() -> str:
    """A token for the experimenter's pages."""
    return secrets.token_urlsafe(24)


def serve(
    study_folder: str | Path,
    *,
    token: str,
    db: str = "sqlite:///study.db",
    host: str = "127.0.0.1",
    port: int = 8000,
    settings: ServeSettings | None = None,
    ready: Callable[[int], None] = lambda port: None,
) -> None:
    """Serve the study in ``study_folder`` at http://host:port/ until interrupted.

    ``token`` opens /experimenter; ``ready`` is told the port once connections are taken. InputError where the study,
    the database, the port or the token cannot be used.
    """
    settings = settings or ServeSettings()
    study = read_study(study_folder)
    with listening_socket(host, port) as listening, closing(open_database(db)) as database:
        store = Store(database, len(study.lists), reserved_s=3600 * settings.reserved_hours)
        with usable(database.name):
            app = make_app(make_service(study, store, token=token, settings=settings))
        listening.listen()
        ready(int(listening.getsockname()[1]))
        with suppress(KeyboardInterrupt):  # uvicorn passes it on once all is closed
            uvicorn.Server(server_config(app)).run(sockets=[listening])


def server_config(app: ASGIApp) -> uvicorn.Config:
    """The same server whatever else is installed; it writes of failures alone, so that no stranger fills a log."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        access_log=False,
        server_header=False,
        log_level="error",
        timeout_graceful_shutdown=STOPPING_S,
    )


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that is bound already, so that a port in use is an error here; port 0 takes a free one."""
    if check_count("port", port, low=0) > MAX_PORT:
        raise InputError(f"port must be at most {MAX_PORT}, got {port}")
    found = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        if found is not None:
            found.close()
        raise InputError(f"port: {host}:{port} cannot be listened at ({error.strerror})") from None
    return found
