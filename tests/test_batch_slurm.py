"""The example for SLURM, with a sbatch that starts what it is given on this machine."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from batch_corpus import ENVIRONMENT, N_CLIPS, made, wait_for, write_corpus

from emomod.batch.verify import verify_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("dask_jobqueue") is None, reason="needs dask-jobqueue"),
]
SCRIPT = Path(__file__).parents[1] / "examples" / "slurm_batch.py"
# Like the real one it has taken its copy when it returns: the script is removed then.
SBATCH = """#!/bin/sh
cp "$1" "$SLURM_PLAYED/job.$$.sh"
setsid sh "$SLURM_PLAYED/job.$$.sh" > "$SLURM_PLAYED/job.$$.txt" 2>&1 < /dev/null &
echo $! >> "$SLURM_PLAYED/started"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
echo "$1" >> "$SLURM_PLAYED/cancelled"
kill -KILL -- "-$1"
"""


@pytest.fixture
def slurm(tmp_path):
    """A folder with what plays SLURM; what it started is ended."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    yield folder
    for job in (folder / "started").read_text().split() if (folder / "started").exists() else ():
        subprocess.run(["kill", "-KILL", "--", f"-{job}"], capture_output=True, check=False)


def test_slurm_batch_against_the_design_jobs_are_submitted_work_and_are_cancelled(slurm, tmp_path):
    corpus, store = write_corpus(tmp_path), tmp_path / "store"
    words = [corpus / "list.csv", "--recipe", corpus / "recipe.yaml", "--out", store, "--jobs", "1", "--queue", "long"]
    process = subprocess.run(
        [sys.executable, SCRIPT, *words, "--", "--retries", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=tmp_path,
        env=os.environ | ENVIRONMENT | {"PATH": f"{slurm}:{os.environ['PATH']}", "SLURM_PLAYED": str(slurm)},
    )
    assert process.returncode == 1, process.stderr  # for the clips that cannot be used
    assert f"{N_CLIPS + 1} windows are done" in process.stdout
    assert "Traceback" not in process.stderr
    assert len(made(store)) == N_CLIPS
    assert verify_store(store).damaged == {}
    job = next(slurm.glob("job.*.sh")).read_text()
    for line in ("#SBATCH -p long", "#SBATCH -t 04:00:00", "#SBATCH --cpus-per-task=1", "export OMP_NUM_THREADS=1"):
        assert line in job.splitlines()
    assert (slurm / "cancelled").read_text().split()[0] in (slurm / "started").read_text().split()
    wait_for(lambda: not any(Path(f"/proc/{job}").exists() for job in (slurm / "cancelled").read_text().split()))
