"""The files of the page, read once and served by name, so that no path is ever made of what was asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from listening_study.server.requests import service_of

KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class PageFile:
    """A file as it is sent."""

    body: bytes
    media_type: str


@cache
def page_files() -> dict[str, PageFile]:
    """All files that browsers get, by their path below the page's folder."""
    return dict(_files(files("listening_study").joinpath("page"), ""))


def _files(folder: Traversable, before: str) -> Iterator[tuple[str, PageFile]]:
    for each in folder.iterdir():
        kind = next((KINDS[ending] for ending in KINDS if each.name.endswith(ending)), None)
        if each.is_dir():
            yield from _files(each, f"{before}{each.name}/")
        elif kind:
            yield before + each.name, PageFile(each.read_bytes(), kind)


@cache
def shell() -> str:
    """The page before its scripts run."""
    return files("listening_study").joinpath("page", "index.html").read_text("utf-8")


async def page(request: Request) -> Response:
    """The participant's page, for whatever address its script takes over."""
    service = service_of(request)
    heading = service.settings.heading or service.texts["heading"]
    told = {"LANGUAGE": service.study.plan.language, "HEADING": heading, "NO_SCRIPT": service.texts["no_script"]}
    body = shell()
    for name, text in told.items():
        body = body.replace("{{" + name + "}}", escape(text))
    return HTMLResponse(body)


async def page_file(request: Request) -> Response:
    """A script, the style sheet or the icon."""
    found = page_files().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404, "there is no such file")
    return Response(found.body, media_type=found.media_type, headers={"Cache-Control": "no-cache"})


ROUTES = [
    Route("/", page),
    Route("/p/{participant}", page),
    Route("/withdraw", page),
    Route("/page/{name:path}", page_file),
]
