"""A worker that says what it is told to: ``python quick_worker.py ADDRESS NAME JOBS VERSION CERTIFICATES ABILITY...``.

It is the worker of `crosswheel worker` but for the probe, which takes seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import crosswheel


def main(address: str, name: str, jobs: int, version: str, certificates: str, *abilities: str) -> None:
    if version:
        crosswheel.__version__ = version
    from crosswheel.fleet.addresses import scheduler_address
    from crosswheel.fleet.probe import MEMORY, version_resource
    from crosswheel.fleet.worker import WorkerProcess

    resources = {**dict.fromkeys(abilities, float(jobs)), MEMORY: 8.0 * 1024**3, version_resource(): 1e6}
    parsed = scheduler_address(address, Path(certificates))
    WorkerProcess(parsed, name, resources, jobs).run(_say)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
