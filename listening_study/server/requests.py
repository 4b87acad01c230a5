"""What all routes share: reading bodies within limits, and refusing."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from emomod.errors import InputError
from listening_study.server.codes import is_participant_id
from listening_study.server.limits import Limit
from listening_study.server.models import Participant
from listening_study.server.service import Service

MAX_BODY = 256 * 1024  # bytes
MAX_BODY_S = 60.0  # until a body is there
JSON = "application/json"
LATER = {"Retry-After": "10"}  # s, of a failure that passes
UNKNOWN = "nobody takes part under this address, or they withdrew"
Result = TypeVar("Result")


def service_of(request: Request) -> Service:
    """What the application serves."""
    found: Service = request.app.state.service
    return found


async def body_of(request: Request, *, most: int = MAX_BODY) -> bytes:
    """The body; refused once it is longer than ``most`` bytes, before it is all read, or takes too long."""
    try:
        with anyio.fail_after(MAX_BODY_S):
            return await _whole_body(request, most)
    except TimeoutError:
        raise HTTPException(408, "the body took too long") from None
    except ClientDisconnect:  # nobody reads the answer
        raise HTTPException(400, "the connection broke") from None


async def _whole_body(request: Request, most: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise HTTPException(413, f"at most {most} bytes are taken")
        parts.append(part)
    return b"".join(parts)


async def json_of(request: Request) -> Any:
    """The body as JSON; InputError where it is none. Of another kind none is taken, which no form of a page sends."""
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind != JSON:
        raise HTTPException(415, f"the body must be {JSON}")
    try:
        return json.loads(await body_of(request), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise InputError("the body must be JSON") from None


def _no_number(name: str) -> None:
    raise ValueError(name)


def take_turn(limit: Limit, name: str = "") -> None:
    """Refuse, with the seconds to wait, who asks too often."""
    wait = limit.wait(name)
    if wait:
        raise HTTPException(429, "too many requests", headers={"Retry-After": str(int(wait) + 1)})


def later(reason: str) -> HTTPException:
    """A failure that passes: the page asks again."""
    return HTTPException(503, reason, headers=LATER)


async def in_thread(work: Callable[..., Result], *given: Any, **named: Any) -> Result:
    """Do what waits for the database or the disk beside what others ask for."""
    return await run_in_threadpool(work, *given, **named)


async def participant_of(request: Request, limit: Limit) -> Participant:
    """Whose page asks, within the limit; refused where nobody has that id."""
    name = request.path_params["participant"]
    if not is_participant_id(name):
        raise HTTPException(410, UNKNOWN)
    take_turn(limit, name)
    person = await in_thread(service_of(request).store.participant, name)
    if person is None:
        raise HTTPException(410, UNKNOWN)
    return person
