"""Inputs that are steered by what code they reach, by atheris (Apache-2.0), which is not a dependency."""

import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory


def fuzz_by_coverage(target: str, *, seconds: int, folder: Path) -> None:
    """Run a target for ``seconds``; inputs that it cannot stand come into ``folder``. It ends the process."""
    if find_spec("atheris") is None:
        sys.stderr.write(
            "atheris was not found, so that nothing was run; install it with: python -m pip install atheris\n"
        )
        return
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

    with atheris.instrument_imports(include=["emomod", "listening_study"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS, run
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as corpus:
        for number, seed in enumerate(TARGETS[target].seeds()):
            (Path(corpus) / str(number)).write_bytes(seed)
        options = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=4096", f"-artifact_prefix={folder}/"]
        atheris.Setup([sys.argv[0], *options, "-max_len=65536", corpus], lambda data: run(TARGETS[target], data))
        atheris.Fuzz()
