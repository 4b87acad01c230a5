"""Changes of a valid file: of its bytes, its lines and words, its values, its members; all from one seed."""

import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from typing import Any

MOST = 1 << 20  # bytes of an input
NUMBERS = (
    "0", "-1", "1e999", "-1e999", "NaN", "Infinity", "9" * 30, "9" * 5000, "1e-320", "2147483648", "0x7f", "1_000",
    "-9223372036854775809", "1:30", "2020-01-01", "٣", "true", "null", "", "'", '"', "1e400", "0.0000001", "nan",
    ".inf", "18446744073709551616", "[]", "{}", "[[1]]", "text", "=1+1", "../../etc/passwd", "/etc/passwd", "\\ud800",
)  # fmt: skip
WORDS = (
    "[" * 300, "{" * 300, "- " * 300, "? " * 300, "&a [*a, *a]", "*a", "!!python/object:os.system x", "<<: {a: 1}",
    "\ufeff", "\x00", '"', "'", ",", ";", "\t", "\r", "\n\n", "\ud7ff", "é", "%", "{{7*7}}", "<!ENTITY a 'b'>", "&a;",
    "---\n", "...\n", "a" * 140_000, "," * 5000, "\n" * 3000, "1," * 3000, "=cmd|' /C calc'!A0", "__proto__", "\u202e",
    "\x1b[31m",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, 1e308, -1e308, 5e-324, 2**31, 2**63, 10**400, float("nan"), float("inf"), "",
    "text", "1", [], {}, [[]], [1, 2], {"a": 1}, "../../x", "/etc/passwd", "a\x00b", "\ud800", "a" * 5000, ["a"] * 1000,
    1000, 10**6, 10**9,
)  # fmt: skip
INTEGERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
Change = Callable[[bytes, random.Random], bytes]


def mutated(content: bytes, kind: str, *, seed: int) -> bytes:
    """Return a valid file of a ``kind`` with one to four changes that follow from ``seed``."""
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        try:
            content = rng.choice(CHANGES[kind])(content, rng)
        except Exception:
            content = change_bytes(content, rng)  # it is no longer of its kind
    return content[:MOST]


# ---- bytes -----------------------------------------------------------------------------------------------------------


def change_bytes(content: bytes, rng: random.Random) -> bytes:
    """Flip, overwrite, insert, take out, repeat, move or cut off; more often where headers are."""
    end = len(content) if rng.random() < 0.5 else min(len(content), 256)
    at, n = rng.randrange(end + 1), rng.choice((1, 2, 4, 8, 16, 64, 1024))
    way = rng.randrange(9)
    if way == 0 and at < len(content):
        return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]
    if way == 1:
        size = rng.choice((1, 2, 4, 8))
        number = (rng.choice(INTEGERS) % 256**size).to_bytes(size, rng.choice(("little", "big")))
        return content[:at] + number + content[at + size :]
    if way == 2:
        return content[:at] + rng.randbytes(n) + content[at:]
    if way == 3:
        return content[:at] + content[at + n :]
    if way == 4:
        return content[:at] + content[at : at + n] * rng.choice((2, 3, 100)) + content[at + n :]
    if way == 5:
        other = rng.randrange(len(content) + 1)
        return content[:at] + content[other : other + n] + content[at + n :]
    if way == 6:
        return content[: rng.randrange(len(content) + 1)]
    if way == 7:
        return content + rng.choice((b"\x00" * n, content, rng.randbytes(n)))
    return content[:at] + rng.choice((b"\x00", b"\xff")) * n + content[at + n :]


# ---- text ------------------------------------------------------------------------------------------------------------


def change_text(content: bytes, rng: random.Random) -> bytes:
    """Change a number, a word, a line or the encoding."""
    text = content.decode("utf-8", errors="surrogateescape")
    way = rng.randrange(7)
    if way == 0:
        text = _replaced(text, r"-?\d+(?:\.\d+)?(?:e-?\d+)?", rng, NUMBERS)
    elif way == 1:
        text = _replaced(text, r"\w+", rng, NUMBERS + WORDS)
    elif way == 2:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(WORDS) + text[at:]
    elif way == 3:
        return content.decode("utf-8", errors="replace").encode(rng.choice(("utf-16", "utf-32", "utf-8-sig", "utf-7")))
    else:
        lines = text.splitlines(keepends=True) or [""]
        at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        if way == 4:
            lines[at] = lines[at] * rng.choice((0, 2, 1000))
        elif way == 5:
            lines[at], lines[other] = lines[other], lines[at]
        else:
            cells = lines[at].split(",")
            rng.shuffle(cells)
            lines[at] = ",".join(cells[: rng.choice((None, 1, -1))])
        text = "".join(lines)
    return text.encode("utf-8", errors="surrogateescape" if way != 1 else "replace")


def _replaced(text: str, pattern: str, rng: random.Random, words: tuple[str, ...]) -> str:
    """One of what a pattern finds, replaced by one of ``words``."""
    found = list(re.finditer(pattern, text))
    if not found:
        return text + rng.choice(words)
    chosen = rng.choice(found)
    return text[: chosen.start()] + rng.choice(words) + text[chosen.end() :]


# ---- values ----------------------------------------------------------------------------------------------------------


def change_json(content: bytes, rng: random.Random) -> bytes:
    """Replace, take out, repeat or nest one value of a JSON text."""
    value = json.loads(content)
    places = list(_places(value))
    if not places:
        return json.dumps(rng.choice(VALUES)).encode()
    holder, key = rng.choice(places)
    way = rng.randrange(6)
    if way == 0:
        del holder[key]
    elif way == 1:
        for _ in range(rng.choice((1, 5, 31, 40, 400))):
            holder[key] = [holder[key]] if rng.random() < 0.5 else {"a": holder[key]}
    elif way == 2 and isinstance(holder[key], list):
        holder[key] = holder[key] * rng.choice((0, 2, 100))
    elif way == 3 and isinstance(holder, dict):
        holder[rng.choice(WORDS[:20])] = holder.pop(key)
    else:
        holder[key] = rng.choice(VALUES)
    return json.dumps(value).encode("utf-8", errors="replace")


def _places(value: Any) -> Any:
    """Every place of a value of JSON: what holds it, and its key there."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


# ---- containers ------------------------------------------------------------------------------------------------------


def change_member(content: bytes, rng: random.Random) -> bytes:
    """Change one file of a zip file and put it together again, perhaps packed another way or claiming another size."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = rng.choice(list(members))
    member, way = members[name], rng.randrange(6)
    if way == 0:
        del members[name]
    elif way == 1:
        members[rng.choice(("../x.npy", "/x", "a" * 300, "weights.extra.npy", "x"))] = members.pop(name)
    elif way == 2:
        members[name] = member + bytes(rng.choice((1, 1000, 1 << 22)))
    elif member.startswith(b"\x93NUMPY"):
        members[name] = _change_header(member, rng)
    else:
        members[name] = rng.choice((change_bytes, change_text))(member, rng)
    packed, file = rng.choice((0, 8, 8, 12, 14)), io.BytesIO()
    with zipfile.ZipFile(file, "w", packed) as archive:
        for each, data in members.items():
            told = zipfile.ZipInfo(each)  # of 1980, so that equal seeds give equal files
            told.compress_type = packed
            archive.writestr(told, data)
    return file.getvalue()


def _change_header(member: bytes, rng: random.Random) -> bytes:
    """Change what the header of an array says."""
    words = (
        b"<f8",
        b"|O",
        b">f8",
        b"<i8",
        b"<c16",
        b"<f2",
        b"<U9",
        b"|b1",
        b"<V8",
        b"|S1",
        b"[('a','<f8')]",
        b"<m8[s]",
    )
    shapes = (
        b"(0,)",
        b"()",
        b"(-1,)",
        b"(9999999999,)",
        b"(1, 1, 1)",
        b"(2**70,)",
        b"(1,)*40",
        b"(0, 99999999999999999999)",
    )
    head = member[:128]
    if rng.random() < 0.3:
        return head + rng.randbytes(len(member) - 128)
    pattern, choices = (rb"'[<>|][a-zA-Z]\d+'", words) if rng.random() < 0.5 else (rb"\([\d, ]*\)", shapes)
    chosen = rng.choice(choices)
    put = chosen if pattern.startswith(rb"\(") else b"'" + chosen + b"'"
    return re.sub(pattern, put, head, count=1)[:128].ljust(128, b" ") + member[128:]


def change_tensors(content: bytes, rng: random.Random) -> bytes:
    """Change the header of a safetensors file, or the card in it."""
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    if rng.random() < 0.5:
        told = change_json(header["__metadata__"]["card"].encode(), rng)
        header["__metadata__"]["card"] = told.decode("utf-8", errors="replace")
        text = json.dumps(header).encode()
    else:
        text = change_json(json.dumps(header).encode(), rng)
    return len(text).to_bytes(8, "little") + text + data


CHANGES: dict[str, tuple[Change, ...]] = {
    "bytes": (change_bytes,),
    "text": (change_text, change_text, change_text, change_bytes),
    "yaml": (change_text, change_text, change_text, change_bytes),
    "json": (change_json, change_json, change_text, change_bytes),
    "zip": (change_member, change_member, change_bytes),
    "safetensors": (change_tensors, change_tensors, change_bytes),
}
