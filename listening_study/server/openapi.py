"""The HTTP interface as an OpenAPI 3.1 document, made from what the code checks by; served at /api/openapi.json."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import emomod
from listening_study.server.experimenters import COOKIE, DOWNLOADS, HOME, MAX_FORM
from listening_study.server.openapi_schemas import A_PARTICIPANT, TEXT, Schema, reference, schemas, thing
from listening_study.server.pages import KINDS, page_files
from listening_study.server.requests import JSON, MAX_BODY, MAX_BODY_S
from listening_study.server.webmushra import BEFORE, MAX_POST, MAX_POSTS

HTML, FORM, SOUND = "text/html", "application/x-www-form-urlencoded", "audio/wav"
CODES = {
    400: "the body, or one value in it, has another form",
    401: "the token is missing or wrong",
    404: "there is no such thing",
    408: f"the body was not there after {MAX_BODY_S:g} s",
    409: "not as things are now",
    410: "nobody takes part under this address, or they withdrew",
    413: "the body is too long, or a participant sent more events than there can be",
    415: f"the body is declared as something else than {JSON}",
    429: "too many requests: ask again after Retry-After",
    503: "nothing could be stored or read just now, nothing is lost: ask again after Retry-After",
    507: f"{MAX_POSTS} results are kept already",
}
READ = (400, 408, 413)  # where a body is taken
READ_JSON = (*READ, 415)
SAVED = (429, 503)  # where the database is asked, within a limit
OF_PERSON = (410, *SAVED)
WAIT: Schema = {"Retry-After": {"required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}}}


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    summary: str
    gives: dict[str, Schema]  # by media type, with status
    refuses: tuple[int, ...] = ()
    status: int = 200
    takes: Schema | None = None
    parameters: dict[str, Schema] | None = None
    html_401: bool = False  # the form for the token in the place of an error
    closed: bool = False  # without the token
    also: dict[int, Schema] | None = None  # bodies of refusals that tell more than an error


def _json(name: str) -> dict[str, Schema]:
    return {JSON: reference(name)}


def _body(content: dict[str, Schema], description: str = "") -> Schema:
    told = {"description": description} if description else {}
    return {"required": True, **told, "content": {kind: {"schema": schema} for kind, schema in content.items()}}


PERSON = {"participant": A_PARTICIPANT}
PAGE = {HTML: TEXT}


def operations() -> dict[tuple[str, str], Operation]:
    """All operations by method and address."""
    return _pages() | _taking_part() | _for_experimenters()


def _pages() -> dict[tuple[str, str], Operation]:
    return {
        ("get", "/"): Operation("The participant's page.", PAGE),
        ("get", "/p/{participant}"): Operation("The page of a participant.", PAGE, parameters={"participant": TEXT}),
        ("get", "/withdraw"): Operation("The same page, to withdraw.", PAGE),
        ("get", "/page/{name}"): Operation(
            "A file of the page.",
            dict.fromkeys(KINDS.values(), TEXT),
            (404,),
            parameters={"name": {"enum": sorted(page_files())}},
        ),
        ("get", "/api/openapi.json"): Operation("This document.", {JSON: {"type": "object"}}),
    }


def _taking_part() -> dict[tuple[str, str], Operation]:
    limit = f"at most {MAX_BODY} bytes"
    return {
        ("get", "/api/study"): Operation("What a page needs before anybody joins.", _json("About")),
        ("post", "/api/join"): Operation(
            "Take part; 409: the text to agree to has changed.",
            _json("Joined"),
            (*READ_JSON, 409, *SAVED),
            takes=_body(_json("Join"), limit),
        ),
        ("post", "/api/withdraw"): Operation(
            "Delete all that is stored of whoever has the code.",
            _json("Deleted"),
            (*READ_JSON, 404, *SAVED),
            takes=_body(_json("Withdraw"), limit),
        ),
        ("get", "/api/p/{participant}/state"): Operation(
            "The trials of a participant and how far they are; 409: too long ago to go on.",
            _json("State"),
            (409, *OF_PERSON),
            parameters=PERSON,
            also={409: reference("Closed")},
        ),
        ("post", "/api/p/{participant}/events"): Operation(
            "Store what was done, each event once by its key; one of another form is refused by its key.",
            _json("Taken"),
            (*READ_JSON, *OF_PERSON),
            takes=_body(_json("Events"), limit),
            parameters=PERSON,
        ),
        ("get", "/api/p/{participant}/sounds/{sound}"): Operation(
            "A sound of one of the participant's trials.",
            {SOUND: {}},
            (404, *OF_PERSON),
            parameters={**PERSON, "sound": TEXT},
        ),
    }


def _for_experimenters() -> dict[tuple[str, str], Operation]:
    return {
        ("get", HOME): Operation("How the study goes.", PAGE, SAVED, html_401=True, closed=True),
        ("post", HOME): Operation(
            "Give the token once, for a cookie.",
            {},
            (*READ, 429),
            status=303,
            takes=_body({FORM: thing(token=TEXT)}, f"at most {MAX_FORM} bytes"),
            html_401=True,
        ),
        ("get", HOME + "/{name}"): Operation(
            "A download.",
            {kind: TEXT for kind, _ in DOWNLOADS.values()},
            (404, *SAVED),
            parameters={"name": {"enum": sorted(DOWNLOADS)}},
            html_401=True,
            closed=True,
        ),
        ("post", "/service/write.php"): Operation(
            "Keep a result that a page of webMUSHRA sends; 404 unless the study is served with --webmushra.",
            {},
            (*READ, 404, *SAVED, 507),
            takes=_body(
                {FORM: thing(**{BEFORE.removesuffix("="): TEXT})},
                f"{BEFORE} and JSON as it is, not escaped; at most {MAX_POST} bytes",
            ),
        ),
    }


@cache
def openapi() -> dict[str, Any]:
    """The document."""
    paths: dict[str, Any] = {}
    for (method, path), operation in operations().items():
        paths.setdefault(path, {})[method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "A listening study",
            "version": emomod.__version__,
            "description": "What `emomod study serve` answers. Every refusal says why in `error`. What is in `stored` "
            "is on the disk; what was not answered, or with 429 or 5xx, is to be sent again as it was.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def _described(operation: Operation) -> Schema:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in (operation.parameters or {}).items()
    ]
    given = {"content": {kind: {"schema": schema} for kind, schema in operation.gives.items()}}
    done: Schema = {"description": "done", **(given if operation.gives else {})}
    if operation.status == 303:
        done["headers"] = {"Location": {"required": True, "schema": TEXT}}
    refused = {str(code): _refusal(code, operation) for code in sorted(operation.refuses)}
    closed = {"401": _page_refusal()} if operation.html_401 else {}
    return {
        "summary": operation.summary,
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": operation.takes} if operation.takes else {}),
        **({"security": [{"token": []}, {"cookie": []}]} if operation.closed else {}),
        "responses": {str(operation.status): done, **closed, **refused},
    }


def _refusal(code: int, operation: Operation) -> Schema:
    body = (operation.also or {}).get(code, reference("Error"))
    wait = {"headers": WAIT} if code in SAVED else {}
    return {"description": CODES[code], **wait, "content": {JSON: {"schema": body}}}


def _page_refusal() -> Schema:
    headers = {"WWW-Authenticate": {"required": True, "schema": TEXT}}
    return {"description": CODES[401], "headers": headers, "content": {HTML: {"schema": TEXT}}}


async def document(_: Request) -> Response:
    """This interface, for programs."""
    return JSONResponse(openapi())


ROUTES = [Route("/api/openapi.json", document)]
