"""How often something may be asked for; kept in memory alone, by names that are no addresses."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

MAX_NAMES = 20_000  # beyond which the ones that asked longest ago are forgotten


class Limit:
    """At most ``burst`` at once and ``rate`` a second, for each name."""

    def __init__(self, *, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when that was
        self._lock = Lock()

    def wait(self, name: str) -> float:
        """Take one; 0 where there was one left, else seconds until there is."""
        now = self._clock()
        with self._lock:
            left, since = self._left.pop(name, (self._burst, now))
            left = min(self._burst, left + (now - since) * self._rate)
            taken = left >= 1.0
            self._left[name] = (left - taken, now)
            while len(self._left) > MAX_NAMES:
                self._left.popitem(last=False)
        return 0.0 if taken else (1.0 - left) / self._rate
