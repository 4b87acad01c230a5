"""Many requests that the OpenAPI document allows, or forbids, to the server of a study, repeatable by a seed.

    python tests/fuzzed_server.py --examples 500 --seed 1

Participants that exist stand in for some of the drawn ones, and the token is given to some requests, so that not only
closed doors are asked for. What answers with another status, header or body than the document says, or with a 5xx,
is a failure; so is an event that is stored although the document forbids it, or refused without its key.
"""

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import schemathesis
from jsonschema_rs import validator_for
from schemathesis.engine import events, from_schema
from starlette.types import Message, Receive, Scope, Send
from study_servers import QUICK, TOKEN, client_of, join, opened, state

from benchmarks.study_load import write_study
from listening_study.responses import RANGES
from listening_study.server.app import make_app
from listening_study.server.codes import PARTICIPANT
from listening_study.server.limits import Limit
from listening_study.server.openapi import openapi
from listening_study.server.service import Limits, Service
from listening_study.trials import draw_lists

EVENTS = "/api/p/{participant}/events"
EVENT = validator_for({"$ref": "#/components/schemas/Event", "components": openapi()["components"]})
UNLIMITED = Limits(**dict.fromkeys(Limits.__dataclass_fields__, Limit(rate=1e9, burst=1e9)))


@dataclass
class Found:
    """What came of all requests."""

    statuses: Counter[str] = field(default_factory=Counter)  # "POST /api/join 200"
    failures: list[str] = field(default_factory=list)
    n_stored: int = 0  # events
    n_refused: int = 0


@contextmanager
def fuzzed_service(kind: str) -> Iterator[Service]:
    """A study of noise with trials of ``kind``, with webMUSHRA switched on and without limits of rate."""
    with tempfile.TemporaryDirectory() as folder:
        made = write_study(Path(folder) / "study", n_trials=6, seed=0)
        plan = replace(made.plan, trial_type=kind)
        study = replace(made, plan=plan, lists=draw_lists(plan))
        with opened(study, Path(folder), replace(QUICK, webmushra=True)) as service:
            yield replace(service, limits=UNLIMITED)


def fuzz(service: Service, *, n_examples: int, seed: int) -> Found:
    """Ask for everything, some hundred times and ``n_examples`` times more."""
    found = Found()
    schema = schemathesis.openapi.from_dict(openapi(), config=configuration(n_examples=n_examples, seed=seed))
    schema.app = Doors(service)
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _note(event.recorder, found)
        elif isinstance(event, events.NonFatalError):
            found.failures.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            found.failures.append(repr(event.exception))
    return found


def configuration(*, n_examples: int, seed: int) -> schemathesis.Config:
    """What is asked. Well-formed requests may be refused, as for an unknown participant, or a trial of another kind.

    Of ill-formed events it is looked at by ``_event_failures`` whether they are refused, since others of the same
    request are stored.
    """
    return schemathesis.Config.from_dict(
        {
            "seed": seed,
            "headers": {"Authorization": f"Bearer {TOKEN}"},
            "generation": {"max-examples": n_examples, "deterministic": True, "database": "none"},
            "phases": {"stateful": {"enabled": False}},
            "continue-on-failure": True,
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", "4xx"]},
                "negative_data_rejection": {"expected-statuses": ["4xx"]},
            },
            "operations": [{"include-path": EVENTS, "checks": {"negative_data_rejection": {"enabled": False}}}],
        }
    )


class Doors:
    """Opens some before it asks the application: of a participant who exists, to the text that was agreed to."""

    def __init__(self, service: Service) -> None:
        self.app, client = make_app(service), client_of(service)
        self.people = [join(client, f"fuzz {k}") for k in range(2)]
        self.sounds = [state(client, each)["trials"][0]["sounds"][0] for each in self.people]
        self.sha256 = client.get("/api/study").json()["consent"]["sha256"].encode()
        self.n = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask, with other words in two of three requests."""
        self.n += 1
        if scope["type"] == "http" and self.n % 3:
            person, sound = (each[self.n % 3 - 1] for each in (self.people, self.sounds))
            path = re.sub(f"^/api/p/{PARTICIPANT}/", f"/api/p/{person}/", scope["path"])
            scope = {**scope, "path": re.sub("/sounds/..[^/]*$", f"/sounds/{sound}", path)}
            receive = self._agreeing(receive)
        await self.app(scope, receive, send)

    def _agreeing(self, receive: Receive) -> Receive:
        async def agreeing() -> Message:
            message = await receive()
            text = rb'("consent_sha256": *)"[^"\\]+"'
            return {**message, "body": re.sub(text, rb'\1"' + self.sha256 + b'"', message.get("body", b""))}

        return agreeing


# ---- what came of it -------------------------------------------------------------------------------------------------


def _note(recorder: Any, found: Found) -> None:
    for name, interaction in recorder.interactions.items():
        response = interaction.response
        if response is not None:
            case = recorder.cases[name].value
            found.statuses[f"{case.method} {case.path} {response.status_code}"] += 1
            if (case.method, case.path, response.status_code) == ("POST", EVENTS, 200):
                _note_events(json.loads(interaction.request.body), response.json(), found)
    for checks in recorder.checks.values():
        found.failures += [
            f"{recorder.label}: {check.name}: {check.failure_info.failure}" for check in checks if check.failure_info
        ]


def _note_events(sent: Any, told: Any, found: Found) -> None:
    """Every event must be told of by its key, and be refused where the document forbids it."""
    found.n_stored += len(told["stored"])
    found.n_refused += len(told["refused"])
    if {each["key"] for each in sent["events"]} != {*told["stored"], *told["refused"]}:
        found.failures.append(f"not all keys are told: {sent} {told}")
    found.failures += [
        f"stored although the document forbids it: {each}"
        for each in sent["events"]
        if each["key"] not in told["refused"] and not EVENT.is_valid(each)
    ]


def main() -> int:
    """Print what was answered and what failed; 1 where anything did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=500, help="of each operation and kind of trial (default 500)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", nargs="+", default=sorted(RANGES), help="of trials (default: all)")
    arguments = parser.parse_args()
    failures = 0
    for kind in arguments.kind:
        with fuzzed_service(kind) as service:
            found = fuzz(service, n_examples=arguments.examples, seed=arguments.seed)
        told = f"{kind}: {found.statuses.total()} requests, {found.n_stored} events stored, {found.n_refused} refused"
        counts = [f"  {n:6} {what}" for what, n in sorted(found.statuses.items())]
        sys.stdout.write("\n".join([told, *counts, *found.failures, ""]))
        failures += len(found.failures)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
