"""What participants' pages ask for: joining, the trials, sounds, storing what was done, withdrawing."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emomod.errors import InputError
from listening_study.server.answers import join_request, parsed_events
from listening_study.server.consent import text_sha256
from listening_study.server.models import Event, Participant
from listening_study.server.requests import in_thread, json_of, later, participant_of, service_of, take_turn
from listening_study.server.rows import first_answers
from listening_study.server.service import Service
from listening_study.server.sounds import ChangedSoundError, read_sound
from listening_study.server.store import FINISH

MAX_CODE = 64  # letters, as it is typed in
MAX_EVENTS_A_TRIAL = 20  # of a participant's list; a page sends about one
SOUND_HEADERS = {"Cache-Control": "private, max-age=86400, immutable"}  # the same for every sound, and no tag of one


async def about(request: Request) -> Response:
    """What the page needs before anybody joins."""
    service = service_of(request)
    settings = service.settings
    return JSONResponse(
        {
            "language": service.study.plan.language,
            "heading": settings.heading or service.texts["heading"],
            "texts": service.texts,
            "consent": {"text": service.consent, "sha256": text_sha256(service.consent)},
            "headphone_trials": settings.headphone_trials,
            "least_listened_ms": round(1000 * settings.least_listened_s),
        }
    )


async def join(request: Request) -> Response:
    """Take part, with the hash of the text that was agreed to; a request that comes twice joins once."""
    service = service_of(request)
    take_turn(service.limits.joining)
    key, sha256, device = join_request(await json_of(request))
    if sha256 != text_sha256(service.consent):
        raise HTTPException(409, "the text to agree to has changed meanwhile")
    person = await in_thread(service.store.join, join_key=key, consent=service.consent, device=device)
    return JSONResponse({"participant": person.id})


async def state(request: Request) -> Response:
    """All trials of a participant, and how far they are."""
    service = service_of(request)
    person = await participant_of(request, service.limits.asking)
    events = await in_thread(service.store.events_of, person.id)
    finished = any(each.kind == FINISH for each in events)
    if not finished and is_closed(service, events):
        return JSONResponse({"error": "too long ago to go on", "code": person.withdrawal_code}, 409)
    volumes = [each.payload["volume"] for each in events if each.kind == "level"]
    return JSONResponse(
        {
            "trials": service.presenter.presented(person),
            "done": done_places(service, person, events),
            "steps": sorted({each.kind for each in events} & {"level", "headphones"}),
            "volume": volumes[-1] if volumes else None,
            "finished": finished,
            "code": person.withdrawal_code,
        }
    )


def is_closed(service: Service, events: list[Event]) -> bool:
    """Whether somebody who began to answer was away for too long."""
    if not first_answers(events):
        return False
    away_ms = service.store.now_ms() - events[-1].at_ms
    return away_ms >= 3_600_000 * service.settings.resume_hours


def done_places(service: Service, person: Participant, events: list[Event]) -> list[int]:
    """Places in the list of the trials that are answered."""
    answered = first_answers(events)
    return [trial.place for trial in service.presenter.trials_of(person) if trial.trial_id in answered]


async def sound(request: Request) -> Response:
    """A sound of one of the participant's trials."""
    service = service_of(request)
    person = await participant_of(request, service.limits.hearing)
    stimulus = service.presenter.sound(person, request.path_params["sound"])
    if stimulus is None:
        raise HTTPException(404, "there is no such sound")
    try:
        found = await in_thread(read_sound, service.study.path(stimulus), sha256=stimulus.sha256)
    except (OSError, ChangedSoundError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise later(f"a sound cannot be read ({reason})") from None
    return Response(found, media_type="audio/wav", headers=SOUND_HEADERS)


async def add_events(request: Request) -> Response:
    """Store what was done; what is stored already, or cannot be, is told by key, so that the page can let go of it."""
    service = service_of(request)
    person = await participant_of(request, service.limits.asking)
    found = await json_of(request)
    return JSONResponse(await in_thread(take_events, service, person, found))


def take_events(service: Service, person: Participant, found: Any) -> dict[str, Any]:
    """Store events; a participant has finished only once all trials are answered."""
    good, refused = parsed_events(found, service.presenter.trials_of(person))
    finishing = [each for each in good if each.kind == FINISH]
    kept = [each for each in good if each.kind != FINISH]
    if len(service.store.events_of(person.id)) > MAX_EVENTS_A_TRIAL * len(service.presenter.trials_of(person)):
        raise HTTPException(413, "more events than a participant can have")
    if kept and not service.store.add_events(person.id, kept):
        raise HTTPException(410, "withdrew")
    done = done_places(service, person, service.store.events_of(person.id))
    if finishing and len(done) < len(service.presenter.trials_of(person)):
        refused |= {each.key: "trials are still to be answered" for each in finishing}
    elif finishing:
        kept += finishing
        service.store.add_events(person.id, finishing)
    return {"stored": [each.key for each in kept], "refused": refused, "done": done}


async def withdraw(request: Request) -> Response:
    """Delete all that is stored of whoever has the code."""
    service = service_of(request)
    take_turn(service.limits.withdrawing)
    found = await json_of(request)
    code = found.get("code") if isinstance(found, dict) else None
    if not isinstance(code, str) or len(code) > MAX_CODE:
        raise InputError(f"code must be a text of at most {MAX_CODE} letters")
    if not await in_thread(service.store.withdraw, code):
        raise HTTPException(404, "there is no such code, or all is deleted already")
    return JSONResponse({"deleted": True})


ROUTES = [
    Route("/api/study", about),
    Route("/api/join", join, methods=["POST"]),
    Route("/api/withdraw", withdraw, methods=["POST"]),
    Route("/api/p/{participant}/state", state),
    Route("/api/p/{participant}/events", add_events, methods=["POST"]),
    Route("/api/p/{participant}/sounds/{sound}", sound),
]
