"""What waits, what is at work and what became of the rest: the bookkeeping of a batch, without a cluster."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from emomod.batch.clip_list import Listed
from emomod.batch.store import StoreError
from emomod.batch.work import Outcome, Window

LOOKED_AT_ONCE = 16  # clips that a worker looks at in one task
Task = tuple[Listed, ...] | Window
Place = tuple[str, float | None]  # path and start


class Ledger:
    """The state of a batch, from its list of clips to an outcome for each of their windows, and little more of each.

    What was looked at is taken in the order of the list, so that it is always the same one of several files with the
    same sound that is done, and that the others are copies of.
    """

    def __init__(self, clips: Iterable[Listed], kept: Iterable[str], *, retries: int) -> None:
        self._kept = frozenset(kept)  # keys of windows that were in the store before
        self._made, self._retries = set[str](), retries
        self._clips, self._suspects, self._windows = deque(clips), deque[Listed](), deque[Window]()
        self._looks = deque[tuple[Listed, ...]]()  # at work, in their order
        self._found: dict[tuple[Listed, ...], Sequence[Window | Outcome]] = {}  # by looks that others come before
        self._at_work: dict[str, list[Window]] = {}  # by key: windows of the same sound are done once
        self._tries: Counter[Place] = Counter()
        self._outcomes: dict[Place, Outcome] = {}

    def next_task(self) -> Task | None:
        """The next window, else clips to look at; None where nothing waits. A clip that made trouble comes alone."""
        if self._windows:
            return self._windows.popleft()
        waiting = self._suspects or self._clips
        most = 1 if self._suspects else LOOKED_AT_ONCE
        look = tuple(waiting.popleft() for _ in range(min(most, len(waiting))))
        if look:
            self._looks.append(look)
        return look or None

    def take(self, task: Task, results: Sequence[Window | Outcome]) -> None:
        """Note what came of a task; StoreError where the store is to blame."""
        if isinstance(task, Window):
            self._take_all(results)
            return
        self._found[task] = results
        while self._looks and self._looks[0] in self._found:
            self._take_all(self._found.pop(self._looks.popleft()))

    def _take_all(self, results: Sequence[Window | Outcome]) -> None:
        for each in results:
            if isinstance(each, Window):
                self._take_window(each)
            else:
                self._take_outcome(each)

    def _take_window(self, window: Window) -> None:
        if window.key in self._kept or window.key in self._made:
            self._outcomes[window.path, window.start] = Outcome(window.path, window.start, window.key)
        elif window.key in self._at_work:
            self._at_work[window.key].append(window)
        else:
            self._at_work[window.key] = [window]
            self._windows.append(window)

    def _take_outcome(self, result: Outcome) -> None:
        if result.fatal:
            raise StoreError(result.error)
        place = (result.path, result.start)
        self._tries[place] += 1
        if result.error and not result.final and self._tries[place] <= self._retries:
            self._again(result)
            return
        if not result.error:
            self._made.add(result.key)
        self._outcomes[place] = result
        for same in self._at_work.pop(result.key, []):
            if (same.path, same.start) != place:
                self._outcomes[same.path, same.start] = replace(result, path=same.path, start=same.start)

    def _again(self, result: Outcome) -> None:
        if same := self._at_work.get(result.key):
            self._windows.append(same[0])
        else:
            self._suspects.append(Listed(result.path, result.start))

    @property
    def n_ended(self) -> int:
        """Windows, and clips that cannot be used, of which it is known what became of them."""
        return len(self._outcomes)

    @property
    def n_open(self) -> int:
        """Windows that wait or are at work, and clips that were not looked at yet."""
        clips = len(self._clips) + len(self._suspects) + sum(map(len, self._looks))
        return clips + sum(map(len, self._at_work.values()))

    @property
    def n_in_store(self) -> int:
        """Windows that are in the store, of this list or another."""
        return len(self._kept) + len(self._made)

    @property
    def done(self) -> list[Outcome]:
        """What is in the store."""
        return [each for each in self._outcomes.values() if not each.error]

    @property
    def n_kept(self) -> int:
        """Of these, what was there before."""
        return sum(each.key in self._kept for each in self.done)

    @property
    def failed(self) -> list[Outcome]:
        """What is not, by path and start."""
        return sorted((each for each in self._outcomes.values() if each.error), key=_order)

    def rows(self, folders: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """A row for each outcome, by path and start; ``folders`` are those of the windows by key, within the store."""
        for each in sorted(self._outcomes.values(), key=_order):
            yield {
                "path": each.path,
                "start": each.start,
                "key": each.key,
                "folder": "" if each.error else folders.get(each.key, ""),
                "state": "failed" if each.error else "done",
                "tries": self._tries[each.path, each.start],
                "error": each.error,
            }


def _order(each: Outcome) -> tuple[str, float]:
    return each.path, each.start or 0.0
