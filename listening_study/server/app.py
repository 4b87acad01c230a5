"""The application: routes, headers, and errors that tell no more than they must."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emomod.errors import InputError
from listening_study.server import experimenters, pages, participants, webmushra
from listening_study.server.security import HEADERS, SecurityHeaders
from listening_study.server.service import Service


def make_app(service: Service) -> Starlette:
    """The application that serves a study."""
    routes = [*pages.ROUTES, *participants.ROUTES, *experimenters.ROUTES, *webmushra.ROUTES]
    handlers = {InputError: _bad_request, HTTPException: _refused, 500: _failed}
    app = Starlette(routes=routes, middleware=[Middleware(SecurityHeaders)], exception_handlers=handlers)
    app.state.service = service
    return app


async def _bad_request(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": detail}, status, headers=headers)


async def _failed(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "the server failed; try again"}, 500, headers=HEADERS)
