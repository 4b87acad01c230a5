"""The experimenter's pages, closed without the token: how the study goes, and downloads.

The token is given once, in a form, and never stands in an address; a cookie that follows from it keeps the pages open.
Programs send it as ``Authorization: Bearer TOKEN``.
"""

import hashlib
import hmac
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from urllib.parse import parse_qs

from jinja2 import Environment, StrictUndefined, Template
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from listening_study.server.codes import same
from listening_study.server.downloads import answers_csv, events_jsonl, raw_posts_jsonl
from listening_study.server.progress import study_progress
from listening_study.server.requests import body_of, in_thread, service_of, take_turn
from listening_study.server.service import Service

HOME, COOKIE = "/experimenter", "experimenter"
MAX_FORM = 4096  # bytes
DOWNLOADS: dict[str, tuple[str, Callable[[Service], str]]] = {
    "answers.csv": ("text/csv", lambda service: answers_csv(service.store, service.study)),
    "events.jsonl": ("application/x-ndjson", lambda service: events_jsonl(service.store)),
    "webmushra.jsonl": ("application/x-ndjson", lambda service: raw_posts_jsonl(service.store)),
}


@cache
def template() -> Template:
    """The page, with or without what is behind the token."""
    source = files("listening_study").joinpath("page", "experimenter.html.j2").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)


def is_open(request: Request, service: Service) -> bool:
    """Whether the request has the token, or the cookie that follows from it."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found = same(given, service.token)
        if not found:
            take_turn(service.limits.entering)
        return found
    return same(request.cookies.get(COOKIE, ""), cookie_of(service))


def cookie_of(service: Service) -> str:
    """What a browser shows in place of the token."""
    return hmac.new(bytes.fromhex(service.cookie_key), service.token.encode(), hashlib.sha256).hexdigest()


def closed(*, wrong: bool) -> Response:
    """The form for the token; ``wrong`` where another one was given."""
    page = template().render(progress=None, wrong=wrong, title="")
    return HTMLResponse(page, 401, headers={"WWW-Authenticate": "Bearer"})


async def home(request: Request) -> Response:
    """One address for both, so that a wrong method is told all that there are."""
    return await (enter if request.method == "POST" else progress)(request)


async def progress(request: Request) -> Response:
    """How the study goes, or a form for the token."""
    service = service_of(request)
    if not is_open(request, service):
        return closed(wrong=False)
    found = await in_thread(study_progress, service.store, service.study)
    offered = [name for name in DOWNLOADS if service.settings.webmushra or name != "webmushra.jsonl"]
    page = template().render(progress=found, wrong=False, title=service.study.plan.title, downloads=offered)
    return HTMLResponse(page)


async def enter(request: Request) -> Response:
    """Take the token from the form and give the cookie."""
    service = service_of(request)
    take_turn(service.limits.entering)
    form = parse_qs((await body_of(request, most=MAX_FORM)).decode("utf-8", "replace"))
    if not same(form.get("token", [""])[0].strip(), service.token):
        return closed(wrong=True)
    response = RedirectResponse(HOME, 303)
    secure = request.scope["scheme"] == "https"
    response.set_cookie(COOKIE, cookie_of(service), path=HOME, httponly=True, samesite="strict", secure=secure)
    return response


async def download(request: Request) -> Response:
    """One of the files."""
    service, name = service_of(request), request.path_params["name"]
    if not is_open(request, service):
        return closed(wrong=False)
    if name not in DOWNLOADS:
        raise HTTPException(404, "there is no such file")
    media_type, make = DOWNLOADS[name]
    attached = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(await in_thread(make, service), media_type=media_type, headers=attached)


ROUTES = [
    Route(HOME, home, methods=["GET", "POST"]),
    Route(HOME + "/{name}", download),
]
