"""A connection that is not held open by who sends the head of a request, or takes an answer, letter by letter."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEAD_S = 20.0  # from connecting, or from a head's first letter, until it is there
MAX_TAKING_S = 300.0  # until most of an answer is taken


class Connection(H11Protocol):
    """As uvicorn's, which by itself waits for a head, and for an answer to be taken, without an end."""

    _head: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Wait for the next head from its first letter on; that more letters come makes it no longer."""
        super().data_received(data)
        self._wait_for_head()

    def pause_writing(self) -> None:
        """Begin to wait until what was written is taken."""
        super().pause_writing()
        self._taking = self.loop.call_later(MAX_TAKING_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Most of it was taken."""
        super().resume_writing()
        _cancel(self._taking)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        _cancel(self._head)
        _cancel(self._taking)
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self._is_asked():
            _cancel(self._head)
            self._head = None
        elif self._head is None:
            self._head = self.loop.call_later(MAX_HEAD_S, self._head_is_late)

    def _is_asked(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _head_is_late(self) -> None:
        self._head = None
        if not self._is_asked():
            self.transport.close()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
