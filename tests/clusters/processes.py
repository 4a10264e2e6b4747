"""A scheduler and workers of its own, in processes on loopback (or elsewhere), which end with the block."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PATIENCE = 120  # seconds, on a machine that is busy with other things
ARCHS = ("aarch64", "armv7l", "riscv64")
ABILITIES = [f"{engine} {arch} cp313" for engine in ("auto", "cross") for arch in ARCHS]


def wait_for(what: Callable[[], object], patience: float = PATIENCE) -> float:
    """Wait until it holds; return the seconds that took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < patience, what
        time.sleep(0.05)
    return time.monotonic() - began


def sleepers(seconds: str) -> list[psutil.Process]:
    """The processes ``sleep SECONDS``, which are builds of tests/projects/waits."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cmdline() == ["sleep", seconds]:
                found.append(process)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Cluster:
    """The processes, by name; each writes a log of that name into `folder`."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    certificates: Path | None = None
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{'tls' if self.certificates else 'tcp'}://{self.host}:{self.port}"

    def start(self, name: str, argv: Sequence[str], prefix: Sequence[str] = ()) -> None:
        environ = {**os.environ, "XDG_CACHE_HOME": str(self.folder / f"cache-{name}")}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*prefix, *argv], stdout=log, stderr=log, cwd=self.folder, env=environ, start_new_session=True
            )

    def start_scheduler(self, prefix: Sequence[str] = ()) -> None:
        words = ["--host", f"{self.host}", "--port", str(self.port), "--no-dashboard"]
        if own := self.certificates:
            files = {"--tls-ca-file": "ca", "--tls-cert": "scheduler", "--tls-key": "scheduler-key"}
            words += ["--protocol", "tls"]
            words += [word for flag, name in files.items() for word in (flag, str(own / f"{name}.pem"))]
        self.start("scheduler", [sys.executable, "-m", "dask", "scheduler", *words], prefix)
        self.wait_for_line("scheduler", "Scheduler at")

    def start_worker(
        self,
        name: str,
        *,
        jobs: int = 1,
        version: str = "",
        abilities: Sequence[str] = ABILITIES,
        prefix: Sequence[str] = (),
    ) -> None:
        program = str(Path(__file__).with_name("quick_worker.py"))
        words = [self.address, name, str(jobs), version, str(self.certificates or "."), *abilities]
        self.start(name, [sys.executable, program, *words], prefix)
        self.wait_for_line(name, "a worker of")

    def wait_for_line(self, name: str, words: str) -> None:
        log = self.folder / f"{name}.log"
        wait_for(lambda: words in log.read_text("utf-8", "replace"))

    def worker_process(self, name: str) -> psutil.Process:
        """The process that runs the tasks; its parent, the nanny, starts another one when it ends."""
        nanny = psutil.Process(self.running[name].pid)
        (own,) = (
            child
            for child in nanny.children()
            if "spawn_main" in " ".join(child.cmdline()) and "resource" not in child.cmdline()[-1]
        )
        return own

    def kill(self, name: str) -> None:
        """End a process and its children as if the machine had lost its power."""
        process = self.running.pop(name)
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        process.kill()
        process.wait()


@contextmanager
def cluster(folder: Path, **options: object) -> Iterator[Cluster]:
    made = Cluster(folder, **options)  # type: ignore[arg-type]
    made.start_scheduler()
    try:
        yield made
    finally:
        for process in made.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for name in list(made.running):
            with suppress(subprocess.TimeoutExpired):
                made.running[name].wait(5)
            made.kill(name)
