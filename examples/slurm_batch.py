"""``emomod batch`` on a cluster that SLURM looks after: every job is a worker, and jobs that end are replaced.

    python examples/slurm_batch.py list.csv --recipe recipe.yaml --out /shared/store --jobs 20 --walltime 04:00:00

It needs ``pip install "emomod[batch]" dask-jobqueue``, runs where ``sbatch`` does (on a login node, or as a small job
itself) until all is done, and is called again when it was stopped. Clips, model and store lie on disks that all nodes
see under the same paths. What is behind ``--`` goes to ``emomod batch`` as it is: ``-- --split masks --retries 5``.
Workers and scheduler talk over TLS with a key that is drawn for each call.
"""

import argparse
import sys
from pathlib import Path

import dask
from dask_jobqueue.slurm import SLURMCluster
from distributed.security import Security

from emomod.batch.cluster import QUIET
from emomod.cli.main import main

ONE_THREAD = ("OMP_NUM_THREADS=1", "MKL_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "OMP_WAIT_POLICY=PASSIVE")


def parse(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return what this script is told, and what it passes on."""
    own, more = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips")
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--jobs", type=int, default=10, help="at a time; each has one core")
    parser.add_argument("--memory", default="4GB", help="of a job")
    parser.add_argument("--walltime", default="04:00:00", help="of a job; a window that it cuts off is done again")
    parser.add_argument("--queue", help="SLURM's partition")
    parser.add_argument("--account")
    parser.add_argument("--interface", help="network between the nodes, such as ib0")
    return parser.parse_args(own), more


def start(told: argparse.Namespace, security: Security) -> SLURMCluster:
    """Return a scheduler in this process that has SLURM start ``told.jobs`` workers, and keeps their number.

    Only who has the key reaches it; for the workers that lies beside the store while they run, in files that only the
    user can read.
    """
    cluster = SLURMCluster(
        cores=1,
        processes=1,
        memory=told.memory,
        walltime=told.walltime,
        queue=told.queue,
        account=told.account,
        interface=told.interface,
        job_script_prologue=[f"export {each}" for each in ONE_THREAD],
        log_directory=f"{told.out}.logs",
        protocol="tls://",
        security=security,
        shared_temp_directory=str(Path(told.out).absolute().parent),
    )
    cluster.adapt(minimum_jobs=told.jobs, maximum_jobs=told.jobs)
    return cluster


def run(words: list[str]) -> int:
    """Do the batch; return the exit code of ``emomod batch``."""
    told, more = parse(words)
    security = Security.temporary()
    ours = {
        "distributed.comm.tls.ca-file": security.tls_ca_file,
        "distributed.comm.tls.client.cert": security.tls_client_cert,
        "distributed.comm.tls.client.key": security.tls_client_key,
    }
    with dask.config.set(QUIET | ours), start(told, security) as cluster:
        batch = ["batch", told.clips, "--recipe", told.recipe, "--out", told.out, *more]
        return main([*batch, "--scheduler", cluster.scheduler_address])


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
