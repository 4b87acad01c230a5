"""Are answers lost or doubled when many listeners answer at once, connections break, and the server is killed?

    python benchmarks/study_load.py --listeners 200 --trials 40 --json
    python benchmarks/study_load.py --db postgresql://USER@HOST/EMPTY_DATABASE --json

Simulated listeners send as the page does: an answer is kept until the server says that it is stored. One post in ten is
cut off after some milliseconds, one in ten comes twice. When half of all answers are stored the server is killed
(SIGKILL) and started again. Then the database is read and compared with what was answered.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from emomod.audio import SAMPLE_RATE, file_sha256, write_wav
from emomod.labels import SCORE_NAMES
from listening_study.conditions import ORIGINAL
from listening_study.package import PRIVATE, STIMULI, Study, write_private
from listening_study.plan import Item, StudyPlan
from listening_study.server.database import open_database
from listening_study.server.rows import answer_rows
from listening_study.server.serve import listening_socket, new_token
from listening_study.server.store import ANSWER, FINISH, Store
from listening_study.stimuli import Stimulus, token_of
from listening_study.trials import draw_lists

AT_ONCE = 50
CUT, TWICE = 0.1, 0.1  # of posts
SERVER = """
import sys
from listening_study.server.serve import serve
folder, db, port, token = sys.argv[1:]
serve(folder, db=db, port=int(port), token=token)
"""


# ---- a study ---------------------------------------------------------------------------------------------------------


def write_study(folder: Path, *, n_trials: int, seed: int) -> Study:
    """A study whose lists have ``n_trials`` pairs each, of noise; no model is asked."""
    items = tuple(Item(f"item{k}", str(folder / f"item{k}.wav")) for k in range(n_trials))
    plan = StudyPlan("load", items, ("energy",), versions=("enhanced",), practice=0, repeats=0, catch=0, seed=seed)
    (folder / STIMULI).mkdir(parents=True)
    (folder / PRIVATE).mkdir()
    rng = np.random.default_rng(seed)
    stimuli = {}
    for item in items:
        for condition in (ORIGINAL, plan.conditions[0].name):
            token = token_of(plan, item.name, condition)
            path = folder / STIMULI / f"{token}.wav"
            write_wav(path, 0.1 * rng.uniform(-1, 1, SAMPLE_RATE // 4))
            scores = np.zeros(len(SCORE_NAMES))
            stimuli[token] = Stimulus(token, item.name, condition, file_sha256(path), 1, 0.0, -23.0, -20.0, scores)
    study = Study(folder, plan, draw_lists(plan), stimuli, SCORE_NAMES, {})
    study.record.update(write_private(folder / PRIVATE, study))
    return study


# ---- a server that can be killed -------------------------------------------------------------------------------------


@dataclass
class Server:
    """A server in a process of its own."""

    folder: Path
    db: str
    port: int
    process: subprocess.Popen[bytes] | None = None
    n_kills: int = 0

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        given = [str(self.folder), self.db, str(self.port), new_token()]
        self.process = subprocess.Popen([sys.executable, "-c", SERVER, *given])
        for _ in range(600):
            time.sleep(0.1)
            if self.process.poll() is not None:
                raise SystemExit("the server did not start; is the database empty?")
            try:
                httpx.get(f"{self.address}/api/study", timeout=5.0)
            except httpx.HTTPError:
                continue
            return
        raise SystemExit("the server did not answer within a minute")

    def kill(self) -> None:
        """End it at once: nothing is closed or written any more."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.n_kills += 1


# ---- listeners -------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What happened."""

    given: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)  # answers by participant and trial
    n_stored: int = 0  # as the server said
    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # that posts took whose answer arrived


@dataclass
class Listener:
    """One simulated listener."""

    client: httpx.AsyncClient
    rng: random.Random
    tally: Tally
    name: str = ""
    waiting: list[dict[str, Any]] = field(default_factory=list)

    async def take_part(self, key: str) -> None:
        """Join, answer everything, finish."""
        about = await self.ask("GET", "/api/study")
        body = {"key": key, "consent_sha256": about["consent"]["sha256"], "device": "computer"}
        self.name = (await self.ask("POST", "/api/join", body))["participant"]
        trials = (await self.ask("GET", f"/api/p/{self.name}/state"))["trials"]
        for place in range(len(trials)):
            payload = self.answer()
            self.tally.given[self.name, place] = payload
            self.waiting.append({"key": f"{key}-{place}", "kind": ANSWER, "trial": place, "payload": payload})
            await self.send()
            await asyncio.sleep(self.rng.uniform(0.0, 0.02))
        self.waiting.append({"key": "finish", "kind": FINISH, "payload": {}})
        while self.waiting:
            await self.send()

    def answer(self) -> dict[str, Any]:
        """An answer at random."""
        listened = [self.rng.randrange(5000), self.rng.randrange(5000)]
        response, confidence = self.rng.choice(["first", "same", "second"]), self.rng.randint(1, 5)
        told = {"response": response, "confidence": confidence, "rt_ms": self.rng.randrange(60_000)}
        return {**told, "listened_ms": listened, "n_plays": 1, "n_switches": 2}

    async def send(self) -> None:
        """Post what waits, once; what the server has not said to be stored waits on."""
        cut = self.rng.random() < CUT
        answer = await self.post(timeout=self.rng.uniform(0.001, 0.02) if cut else 30.0)
        self.tally.counts["cut off" if cut else "whole"] += 1
        if answer is None:
            return
        if self.rng.random() < TWICE:
            self.tally.counts["twice"] += 1
            await self.post(timeout=30.0)
        settled = {*answer["stored"], *answer["refused"]}
        self.tally.counts["refused"] += len(answer["refused"])
        self.tally.n_stored += sum(each["key"] in answer["stored"] for each in self.waiting)
        self.waiting = [each for each in self.waiting if each["key"] not in settled]

    async def post(self, *, timeout: float) -> Any:
        """One post; None where no answer came."""
        began = time.perf_counter()
        body = {"session": "load", "events": self.waiting}
        try:
            response = await self.client.post(f"/api/p/{self.name}/events", json=body, timeout=timeout)
            response.raise_for_status()
        except httpx.HTTPError as error:
            self.tally.counts["failed"] += 1
            if not isinstance(error, httpx.TimeoutException):
                await asyncio.sleep(0.2)
            return None
        self.tally.seconds.append(time.perf_counter() - began)
        return response.json()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask until there is an answer."""
        while True:
            try:
                response = await self.client.request(method, path, json=body, timeout=30.0)
                response.raise_for_status()
                return response.json()
            except httpx.HTTPError:
                await asyncio.sleep(0.3)


async def all_listeners(server: Server, *, n_listeners: int, n_trials: int, seed: int) -> Tally:
    """Let all of them take part, and kill the server in the middle."""
    tally, places = Tally(), asyncio.Semaphore(AT_ONCE)
    limits = httpx.Limits(max_connections=2 * AT_ONCE)
    async with httpx.AsyncClient(base_url=server.address, limits=limits) as client:

        async def one(number: int) -> None:
            async with places:
                await Listener(client, random.Random(f"{seed} {number}"), tally).take_part(f"{seed}-{number}")

        async def killer() -> None:
            while tally.n_stored < n_listeners * n_trials / 2:
                await asyncio.sleep(0.05)
            server.kill()
            await asyncio.to_thread(server.start)

        await asyncio.gather(killer(), *(one(number) for number in range(n_listeners)))
    return tally


# ---- what is there afterwards ----------------------------------------------------------------------------------------


def compared(study: Study, db: str, tally: Tally) -> dict[str, int]:
    """What was given beside what is stored: every answer must be there, once, as it was given."""
    database = open_database(db)
    people = Store(database, len(study.lists)).everything()
    database.close()
    places = {trial.trial_id: trial.place for trials in study.lists for trial in trials}
    stored: Counter[tuple[str, int]] = Counter()
    n_changed = n_rows = n_finished = 0
    for person, events in people:
        n_rows += sum(1 for _ in answer_rows(study, person, events))
        n_finished += sum(each.kind == FINISH for each in events)
        for each in events:
            if each.kind == ANSWER:
                which = person.id, places[str(each.trial_id)]
                stored[which] += 1
                n_changed += each.payload != tally.given.get(which)
    return {
        "sent": len(tally.given),
        "stored": len(stored),
        "lost": len(tally.given.keys() - stored.keys()),
        "doubled": sum(stored.values()) - len(stored),
        "changed": n_changed,
        "rows_of_the_table": n_rows,
        "participants": len(people),
        "finished": n_finished,
    }


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The whole benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        db = arguments.db or f"sqlite:///{folder}/load.db"
        study = write_study(Path(folder) / "study", n_trials=arguments.trials, seed=arguments.seed)
        with listening_socket("127.0.0.1", 0) as probe:
            port = int(probe.getsockname()[1])
        server = Server(study.folder, db, port)
        server.start()
        began = time.perf_counter()
        try:
            sizes = {"n_listeners": arguments.listeners, "n_trials": arguments.trials}
            tally = asyncio.run(all_listeners(server, **sizes, seed=arguments.seed))
        finally:
            n_kills = server.n_kills
            server.kill()
        seconds = time.perf_counter() - began
        levels = dict(zip(("p50", "p95", "p99", "max"), np.percentile(tally.seconds, [50, 95, 99, 100]), strict=True))
        return {
            "database": db.split(":")[0],
            **compared(study, db, tally),
            "posts": dict(sorted(tally.counts.items())),
            "kills": n_kills,
            "seconds": round(seconds, 1),
            "latency_ms": {name: round(1000 * float(value), 1) for name, value in levels.items()},
        }


def main() -> int:
    """Print what was found; 1 where an answer is lost, doubled or changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--trials", type=int, default=40, help="of each listener, at least 3")
    parser.add_argument("--db", help="an empty database; by default a new SQLite file that is deleted afterwards")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    found = run(arguments)
    print(json.dumps(found, indent=1) if arguments.json else "\n".join(f"{k}: {v}" for k, v in found.items()))
    return int(bool(found["lost"] or found["doubled"] or found["changed"]))


if __name__ == "__main__":
    sys.exit(main())
