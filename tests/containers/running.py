"""A container that runs as long as a test looks into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import docker
from docker.models.containers import Container

# QEMU's default processor signs pointers, as Debian's binaries ask for, and takes ten times as long for it.
_FAST = {"QEMU_CPU": "cortex-a57"}


@dataclass(frozen=True)
class Running:
    arch: str
    reference: str
    container: Container

    def run(self, *command: str) -> str:
        """What a command printed, which has to succeed."""
        code, streams = self.container.exec_run(list(command), demux=True)
        out, err = ((stream or b"").decode() for stream in cast("tuple[bytes | None, bytes | None]", streams))
        assert code == 0, f"{command}: {out}{err}"
        return out

    def python(self, tag: str, *arguments: str) -> str:
        """By an interpreter of pypa's layout."""
        return self.run(f"/opt/python/{tag}/bin/python", *arguments).strip()


@contextmanager
def running(engine: docker.DockerClient, reference: str, arch: str) -> Iterator[Running]:
    engine.images.pull(reference)
    container = engine.containers.run(reference, ["sleep", "infinity"], init=True, detach=True, environment=_FAST)
    try:
        yield Running(arch, reference, container)
    finally:
        container.remove(force=True, v=True)
