"""Scores of masks kept on disk, block by block, so that an explanation that was stopped goes on where it was.

The scores are kept rather than sums over them: the same scores in the same order give the same sums, to the bit, and
they are smaller. The file begins with a line of JSON that says what was scored; each block follows as a digest of its
masks, its shape, its scores and a checksum. What was torn at the end is dropped.
"""

import hashlib
import json
import os
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from emomod.alone import InUse, lock
from emomod.errors import EmomodError

Array = NDArray[np.float64]
Masks = NDArray[np.bool_]
BLOCK = 256  # masks that a crash costs at most
HEAD = struct.Struct("<16sIII")  # digest of the masks, rows, columns, checksum of the scores
MOST_VALUES = 2**24  # in a block that is read back; what says more is no block of ours


class ScoreLog:
    """The scores of one explanation, in the order in which they are asked for."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self._path, self._head = path, f"{json.dumps(about, sort_keys=True)}\n".encode()
        self._file: BinaryIO | None = None
        self._known: deque[tuple[bytes, Array]] = deque()
        if path.is_file():
            try:
                self._known.extend(self._read())
            except BaseException:
                self.close()
                raise

    def __call__(self, masks: Masks, score: Callable[[Masks], Array]) -> Array:
        """Scores [n, T] of masks [n, K]: those that are kept, else those that ``score`` gives, which are kept."""
        pieces = np.array_split(masks, range(BLOCK, len(masks), BLOCK))
        return np.vstack([self._block(piece, score) for piece in pieces])

    @property
    def n_known(self) -> int:
        """Masks whose scores are kept and were not asked for yet."""
        return sum(len(scores) for _, scores in self._known)

    def close(self) -> None:
        """Let go of the file, which stays."""
        if self._file is not None:
            with suppress(OSError):  # what could not be written was told when it was
                self._file.close()
            self._file = None

    def _block(self, masks: Masks, score: Callable[[Masks], Array]) -> Array:
        digest = hashlib.blake2b(np.packbits(masks).tobytes() + bytes(str(masks.shape), "ascii"), digest_size=16)
        if self._known and self._known[0][0] == digest.digest():
            return self._known.popleft()[1]
        self._forget()
        scores = np.ascontiguousarray(score(masks), dtype="<f8")
        data = scores.tobytes()
        self._append(HEAD.pack(digest.digest(), *scores.shape, zlib.crc32(data)) + data)
        return scores

    def _open(self) -> BinaryIO:
        """The file, which no other process may use at the same time."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._path, "a+b")  # noqa: SIM115
            try:
                lock(self._file.fileno(), self._path)
            except InUse:
                self.close()
                raise
            if self._file.seek(0, os.SEEK_END) == 0:
                self._append(self._head)
        return self._file

    def _append(self, data: bytes) -> None:
        file = self._open()
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from None

    def _forget(self) -> None:
        """Cut off the blocks that were not asked for: masks are others than then."""
        if self._known:
            size = sum(HEAD.size + scores.nbytes for _, scores in self._known)
            file = self._open()
            file.truncate(file.seek(0, os.SEEK_END) - size)
            self._known.clear()

    def _read(self) -> Iterator[tuple[bytes, Array]]:
        """Yield the whole blocks of the file, and cut off what follows; all of it where it is of something else."""
        file = self._open()
        file.seek(0)
        if file.read(len(self._head)) != self._head:
            file.truncate(0)
            self._append(self._head)
            return
        good = file.tell()
        while block := _read_block(file):
            good = file.tell()
            yield block
        file.truncate(good)
        file.seek(0, os.SEEK_END)


def _read_block(file: BinaryIO) -> tuple[bytes, Array] | None:
    """The next block, or None where none follows whole."""
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    digest, rows, columns, checksum = HEAD.unpack(head)
    if not 0 < rows * columns <= MOST_VALUES:
        return None
    data = file.read(8 * rows * columns)
    if len(data) < 8 * rows * columns or zlib.crc32(data) != checksum:
        return None
    return digest, np.frombuffer(data, dtype="<f8").reshape(rows, columns).astype(np.float64)


@contextmanager
def kept_scores(path: Path | None, about: Mapping[str, Any]) -> Iterator[ScoreLog | None]:
    """Yield the log at ``path``, or None without a path.

    It stays when the job is stopped, and when it ends well: whoever writes the job's output removes it then. It goes
    when the job cannot be done.
    """
    log = None if path is None else ScoreLog(path, about)
    try:
        yield log
    except InUse:
        raise
    except EmomodError:
        if path is not None:
            path.unlink(missing_ok=True)
        raise
    finally:
        if log is not None:
            log.close()
