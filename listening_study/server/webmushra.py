"""Takes the results that pages of webMUSHRA send: POST service/write.php with ``sessionJSON=`` and JSON.

The page puts the JSON behind the equals sign as it is, not escaped, so that a form parser would cut it at the first
``&``. It takes any text in the answer for a failure. Bodies are kept as they came, up to a number of them.
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from listening_study.server.requests import body_of, in_thread, service_of, take_turn

BEFORE = "sessionJSON="
MAX_POST = 1024 * 1024  # bytes; one post has all answers of a session
MAX_POSTS = 2000


async def write(request: Request) -> Response:
    """Keep a result; the answer is empty, as the page expects."""
    service = service_of(request)
    if not service.settings.webmushra:
        raise HTTPException(404, "results of webMUSHRA are not taken here")
    take_turn(service.limits.posting)
    body = (await body_of(request, most=MAX_POST)).decode("utf-8", "replace").replace("\x00", "\ufffd")
    if not body.startswith(BEFORE):
        raise HTTPException(400, f"the body must begin with {BEFORE}")
    if not await in_thread(service.store.add_raw, body, most=MAX_POSTS):
        raise HTTPException(507, f"{MAX_POSTS} results are kept already")
    return Response(status_code=200)


ROUTES = [Route("/service/write.php", write, methods=["POST"])]
