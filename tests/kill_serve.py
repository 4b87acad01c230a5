"""Kills `emomod study serve` at random moments while people answer, and counts what is lost or stored twice.

    python tests/kill_serve.py --kills 10 --seed 1
    python tests/kill_serve.py --kills 10 --db postgresql://USER@HOST/EMPTY_DATABASE

People send as the page does: an answer is kept until the server says that it is stored, and sent again until then, now
and then twice at once. After every kill the database is looked at as it lies there, and again at the end.
"""

import argparse
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.study_load import write_study
from listening_study.package import Study
from listening_study.server.database import open_database
from listening_study.server.rows import answer_rows
from listening_study.server.serve import listening_socket
from listening_study.server.store import ANSWER, FINISH, Store

N_PEOPLE, N_TRIALS = 6, 12
STARTING = 0.2  # of the kills come while the server starts, the others after some answers
TWICE = 0.15  # of posts
LONGEST_S = 120.0


@dataclass(frozen=True)
class Killed:
    """What was found after all kills."""

    kills: int
    sent: int  # answers
    acknowledged: int  # of them, all in the end
    lost: int  # acknowledged, and not there after some kill or at the end
    doubled: int
    changed: int
    unclean: int  # times that SQLite found its file broken
    participants: int
    rows: int  # of the table of answers

    @property
    def is_exact(self) -> bool:
        """Whether every answer is there once, as it was given."""
        wrong = self.lost, self.doubled, self.changed, self.unclean
        return not any(wrong) and self.sent == self.acknowledged == self.rows


def kill_and_compare(folder: Path, *, n_kills: int, seed: int, db: str | None = None) -> dict[str, Any]:
    """Kill the server ``n_kills`` times in the new ``folder``; what was found, with ``bit_equal``.

    ``db`` is the address of an empty database; by default a SQLite file in the folder.
    """
    study = write_study(folder / "study", n_trials=N_TRIALS, seed=seed)
    run = Run(study, db or f"sqlite:///{folder}/study.db", folder, random.Random(seed))
    found = run.all_kills(n_kills)
    return {**asdict(found), "bit_equal": found.is_exact}


# ---- people ----------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What was given and what the server said to have stored, by participant and key."""

    given: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    stored: set[tuple[str, str]] = field(default_factory=set)
    is_over: bool = False  # whoever has finished takes part no more
    is_broken: bool = False  # there will be no server any more


@dataclass
class Person:
    """Takes part again and again, as another participant each time."""

    address: str
    tally: Tally
    rng: random.Random

    def take_part(self) -> None:
        """Until all is over."""
        number = 0
        with httpx.Client(base_url=self.address, timeout=10.0) as client:
            while not self.tally.is_over:
                self._once(client, f"{self.rng.getrandbits(64):x}-{number}")
                number += 1

    def _once(self, client: httpx.Client, join_key: str) -> None:
        about = self._ask(client, "GET", "/api/study")
        agreed = {"key": join_key, "consent_sha256": about["consent"]["sha256"], "device": "computer"}
        name = self._ask(client, "POST", "/api/join", agreed)["participant"]
        for place in range(N_TRIALS):
            key, payload = f"a{place}", self._payload()
            self.tally.given[name, key] = payload
            self._settle(client, name, {"key": key, "kind": ANSWER, "trial": place, "payload": payload})
        self._settle(client, name, {"key": "finish", "kind": FINISH, "payload": {}})

    def _payload(self) -> dict[str, Any]:
        response, listened = self.rng.choice(["first", "same", "second"]), [self.rng.randrange(5000) for _ in "ab"]
        counts = {"rt_ms": self.rng.randrange(60_000), "n_plays": 1, "n_switches": 2}
        return {"response": response, "confidence": self.rng.randint(1, 5), "listened_ms": listened, **counts}

    def _settle(self, client: httpx.Client, name: str, event: dict[str, Any]) -> None:
        """Send an event until it is stored; what was stored is noted at once."""
        body = {"session": "visit", "events": [event]}
        path = f"/api/p/{name}/events"
        if self.rng.random() < TWICE:
            with ThreadPoolExecutor(2) as pool:
                told = list(pool.map(lambda _: self._ask(client, "POST", path, body), range(2)))
        else:
            told = [self._ask(client, "POST", path, body)]
        if any(event["key"] in each["refused"] for each in told):
            raise AssertionError(f"refused: {told}")
        if event["kind"] == ANSWER:
            self.tally.stored.add((name, str(event["key"])))

    def _ask(self, client: httpx.Client, method: str, path: str, body: Any = None) -> Any:
        """Ask until there is an answer that says more than that it is to be asked again."""
        while not self.tally.is_broken:
            with suppress(httpx.TransportError):
                response = client.request(method, path, json=body)
                if response.status_code != 429 and response.status_code < 500:
                    response.raise_for_status()
                    return response.json()
            time.sleep(0.05)
        raise ConnectionError("there is no server")


# ---- the server ------------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """A study, a server that is killed, and the people who answer."""

    study: Study
    db: str
    folder: Path
    rng: random.Random
    tally: Tally = field(default_factory=Tally)
    faults: Counter[str] = field(default_factory=Counter)

    def all_kills(self, n_kills: int) -> Killed:
        """Kill, look and start again; then let everybody finish."""
        with listening_socket("127.0.0.1", 0) as probe:
            port = int(probe.getsockname()[1])
        people = [
            Person(f"http://127.0.0.1:{port}", self.tally, random.Random(self.rng.getrandbits(64)))
            for _ in range(N_PEOPLE)
        ]
        with ThreadPoolExecutor(N_PEOPLE) as pool:
            answering = [pool.submit(each.take_part) for each in people]
            try:
                for _ in range(n_kills):
                    self._start_and_kill(port, answering)
                    self._look()
                with self._server(port):
                    self.tally.is_over = True
                    for each in answering:
                        each.result()
            finally:
                self.tally.is_over = self.tally.is_broken = True
        return self._compared(n_kills)

    @contextmanager
    def _server(self, port: int) -> Iterator["subprocess.Popen[bytes]"]:
        """A server that is killed in the end, and must be there until then."""
        where = [str(self.study.folder), "--db", self.db, "--port", str(port), "--no-headphone-check"]
        command = [sys.executable, "-m", "emomod.cli.main", "study", "serve", *where]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            try:
                yield server
                if server.poll() is not None:
                    raise AssertionError(f"the server ended by itself, with {server.returncode}")
            finally:
                server.kill()

    def _start_and_kill(self, port: int, answering: "list[Future[None]]") -> None:
        """A kill comes while the server starts, or some answers later; where none comes for long, it comes anyway."""
        latest = time.monotonic() + (self.rng.uniform(0.0, 4.0) if self.rng.random() < STARTING else LONGEST_S)
        wanted = len(self.tally.stored) + self.rng.randint(1, 60)
        with self._server(port) as server:
            while len(self.tally.stored) < wanted and time.monotonic() < latest and server.poll() is None:
                time.sleep(0.001)
                for each in answering:
                    if each.done():  # nobody ends before all kills but by an error
                        each.result()
            time.sleep(self.rng.uniform(0.0, 0.02))

    def _look(self) -> None:
        """Whether the file is whole, and holds all that was acknowledged; looked at in a copy, as it lies there."""
        stored = set(self.tally.stored)  # before the copy
        path = Path(self.db.removeprefix("sqlite:///"))
        if not self.db.startswith("sqlite") or not path.exists():
            self.faults["lost"] += len(stored) if not path.exists() and self.db.startswith("sqlite") else 0
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            for each in path.parent.glob(path.name + "*"):
                shutil.copy(each, folder)
            with closing(sqlite3.connect(Path(folder) / path.name)) as connection:
                self.faults["unclean"] += connection.execute("PRAGMA integrity_check").fetchone() != ("ok",)
                has_table = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone()
                query = "SELECT participant_id, key FROM events WHERE kind = 'answer'"
                rows = connection.execute(query).fetchall() if has_table else []
        self.faults["lost"] += len(stored - set(rows))
        self.faults["doubled"] += len(rows) - len(set(rows))

    def _compared(self, n_kills: int) -> Killed:
        with closing(open_database(self.db)) as database:
            people = Store(database, len(self.study.lists)).everything()
        counts: Counter[tuple[str, str]] = Counter()
        n_changed = 0
        for person, events in people:
            for each in events:
                if each.kind == ANSWER:
                    counts[person.id, each.key] += 1
                    n_changed += each.payload != self.tally.given.get((person.id, each.key))
        return Killed(
            kills=n_kills,
            sent=len(self.tally.given),
            acknowledged=len(self.tally.stored),
            lost=self.faults["lost"] + len(self.tally.stored - counts.keys()),
            doubled=self.faults["doubled"] + counts.total() - len(counts),
            changed=n_changed,
            unclean=self.faults["unclean"],
            participants=len(people),
            rows=sum(1 for person, events in people for _ in answer_rows(self.study, person, events)),
        )


def main() -> int:
    """Print what was found as JSON; 1 where an answer is lost, doubled or changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--db", help="an empty database; by default a new SQLite file that is deleted afterwards")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = kill_and_compare(Path(folder), n_kills=arguments.kills, seed=arguments.seed, db=arguments.db)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return int(not found["bit_equal"])


if __name__ == "__main__":
    sys.exit(main())
