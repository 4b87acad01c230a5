"""Read many broken files: ``python -m tests.fuzz --inputs 10000 --json``; what is found comes into a folder."""

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # where the helpers of all tests lie


def main() -> int:
    """Run; 1 where something was found."""
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="over all targets (default: 10000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first input of each target, for others")
    parser.add_argument("--targets", nargs="+", help="some targets only")
    parser.add_argument("--finds", type=Path, default=Path("build/finds"), help="where finds are written")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    parser.add_argument("--bombs", action="store_true", help="read the small files that ask for much instead")
    parser.add_argument("--atheris", metavar="TARGET", help="one target, steered by the code that inputs reach")
    parser.add_argument("--seconds", type=int, default=60, help="of atheris")
    asked = parser.parse_args()
    if asked.atheris:
        from tests.fuzz.coverage import fuzz_by_coverage

        fuzz_by_coverage(asked.atheris, seconds=asked.seconds, folder=asked.finds / asked.atheris)
        return 0
    if asked.bombs:
        return _bombs()
    figures = _run(asked.inputs, asked.targets, asked.finds, first=asked.first)
    sys.stdout.write((json.dumps(figures, indent=1) if asked.json else _told(figures)) + "\n")
    return int(bool(figures["tracebacks"] + figures["hangs"] + figures["over_memory"]))


def _bombs() -> int:
    from tests.fuzz.bombs import BOMBS
    from tests.fuzz.watched import Child

    with Child() as child:
        found = {name: child.check(target, make()) for name, (target, make) in BOMBS.items()}
    wrong = {name: find for name, find in found.items() if find}
    sys.stdout.write("".join(f"{name}: {find.what}, {find.told}\n" for name, find in wrong.items()))
    sys.stdout.write(f"{len(found)} bombs, {len(wrong)} finds\n")
    return int(bool(wrong))


def _run(n_inputs: int, names: list[str] | None, folder: Path, *, first: int) -> dict[str, Any]:
    import torch

    from tests.fuzz.targets import TARGETS
    from tests.fuzz.watched import finds

    torch.set_num_threads(1)
    chosen = {name: target for name, target in TARGETS.items() if names is None or name in names}
    total, begin = sum(target.share for target in chosen.values()), time.monotonic()
    counts, by_target = Counter[str](), dict[str, dict[str, Any]]()
    for name, target in chosen.items():
        n, places = -(-round(n_inputs * target.share) // round(total)) if total >= 1 else n_inputs, Counter[str]()
        target.seeds()
        for found in finds(name, n, first=first):
            counts[found.what] += 1
            places[found.where] += 1
            if places[found.where] <= 3:  # of each kind three are enough
                _keep(folder / name, found.content, found.told)
        counts["inputs"] += n
        by_target[name] = {"inputs": n, "finds": dict(places)}
        sys.stderr.write(f"{name}: {n} inputs, {sum(places.values())} finds\n")
    return {
        "fuzz_inputs": counts["inputs"],
        "tracebacks": counts["traceback"],
        "hangs": counts["hang"],
        "over_memory": counts["memory"],
        "seconds": round(time.monotonic() - begin, 1),
        "targets": by_target,
    }


def _keep(folder: Path, content: bytes, told: str) -> None:
    """Write an input, and beside it what it does."""
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(content).hexdigest()[:12]
    (folder / name).write_bytes(content)
    (folder / f"{name}.txt").write_text(told, encoding="utf-8")


def _told(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in figures.items() if not isinstance(value, dict))


if __name__ == "__main__":
    sys.exit(main())
