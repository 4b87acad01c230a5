"""The application: routes, headers, and errors that tell no more than they must."""

import logging

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as WaitedTooLong
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emomod.errors import InputError
from listening_study.server import experimenters, openapi, pages, participants, webmushra
from listening_study.server.database import reason_of
from listening_study.server.limits import Limit
from listening_study.server.requests import LATER
from listening_study.server.security import HEADERS, SecurityHeaders
from listening_study.server.service import Service

LOG = logging.getLogger(__name__)
NOT_NOW = "nothing could be stored or read just now; ask again"
TELLING = Limit(rate=1 / 60, burst=1)  # how often the log says that the database fails
ROUTES = [*pages.ROUTES, *participants.ROUTES, *experimenters.ROUTES, *webmushra.ROUTES, *openapi.ROUTES]


def make_app(service: Service) -> Starlette:
    """The application that serves a study."""
    handlers = {
        InputError: _bad_request,
        HTTPException: _refused,
        OperationalError: _not_now,
        WaitedTooLong: _not_now,
        OSError: _not_now,
        500: _failed,
    }
    app = Starlette(routes=ROUTES, middleware=[Middleware(SecurityHeaders)], exception_handlers=handlers)
    app.router.redirect_slashes = False
    app.state.service = service
    return app


async def _bad_request(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": detail}, status, headers=headers)


async def _not_now(_: Request, error: Exception) -> Response:
    """The disk is full, the database away or busy: whoever asked keeps what they have, and asks again."""
    if not TELLING.wait(""):
        LOG.error("answers cannot be stored or read: %s", reason_of(error))
    return JSONResponse({"error": NOT_NOW}, 503, headers=LATER)


async def _failed(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "the server failed; try again"}, 500, headers=HEADERS)
