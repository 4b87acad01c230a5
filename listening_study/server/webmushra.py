"""Takes the results that pages of webMUSHRA send: POST service/write.php with ``sessionJSON=`` and JSON.

The page puts the JSON behind the equals sign as it is, not escaped, so that a form parser would cut it at the first
``&``. It takes any text in the answer for a failure. Bodies are kept as they came; reading them is another matter.
"""

import json
from typing import Any
from urllib.parse import unquote_plus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from listening_study.server.requests import body_of, in_thread, service_of, take_turn

BEFORE = "sessionJSON="
MAX_POST = 4 * 1024 * 1024  # bytes; one post has all answers of a session


def parsed_session(body: str) -> Any:
    """The session in a body, escaped or not; None where it cannot be read.

    >>> parsed_session('sessionJSON={"comment": "a & b + c"}')
    {'comment': 'a & b + c'}
    >>> parsed_session("sessionJSON=%7B%22a%22%3A+1%7D")
    {'a': 1}
    """
    told = body.removeprefix(BEFORE)
    for text in (told, unquote_plus(told)):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            continue
    return None


async def write(request: Request) -> Response:
    """Keep a result; the answer is empty, as the page expects."""
    service = service_of(request)
    if not service.settings.webmushra:
        raise HTTPException(404, "results of webMUSHRA are not taken here")
    take_turn(service.limits.posting)
    body = (await body_of(request, most=MAX_POST)).decode("utf-8", "replace").replace("\x00", "\ufffd")
    if not body.startswith(BEFORE):
        raise HTTPException(400, f"the body must begin with {BEFORE}")
    await in_thread(service.store.add_raw, body)
    return Response(status_code=200)


ROUTES = [Route("/service/write.php", write, methods=["POST"])]
