"""Cached answers of Docker hosts that cannot have changed.

An image's id is a hash of its content, which never changes. The host's kernel decides whether it runs programs of an
architecture, and that may change at any time. If it is this machine's kernel, all inputs of that decision are visible:
the answer holds as long as they are unchanged. Any other host is asked each time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from crosswheel.containers import binfmt
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.emulation import Running, program, survey
from crosswheel.containers.images import Image
from crosswheel.containers.opt_python import find_pythons
from crosswheel.errors import CannotRun
from crosswheel.model.job import Interpreter
from crosswheel.model.targets import Architecture, PythonTag, parse_python
from crosswheel.system.memo import Answers

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_USERS = Path("/proc/self/uid_map")
_ALL_USERS = ["0", "0", str(2**32 - 1)]


def known_survey(
    host: DockerHost, archs: Iterable[Architecture], answers: Answers
) -> dict[Architecture, Running | CannotRun]:
    """Like `survey`, but with cached answers. Refusals are never cached, because they may be fixed at any time.

    Raises EngineUnavailable.
    """
    archs = tuple(archs)
    reasons = {arch: reason for arch in archs if (reason := grounds(host, arch))}
    known: dict[Architecture, Running | CannotRun] = {}
    for arch, reason in reasons.items():
        if (answer := answers.recall("running", reason)) is not None:
            known[arch] = Running(arch, natively=answer["natively"], cpu=answer["cpu"])
    found = survey(host, [arch for arch in archs if arch not in known])
    for arch, running in found.items():
        # If the inputs changed meanwhile, the answer is not cached.
        if isinstance(running, Running) and arch in reasons and grounds(host, arch) == reasons[arch]:
            answers.keep({"natively": running.natively, "cpu": running.cpu}, "running", reasons[arch])
    return {arch: {**known, **found}[arch] for arch in archs}


def grounds(host: DockerHost, arch: Architecture, folder: Path = binfmt.FOLDER) -> str:
    """All inputs that decide how a host runs programs of an architecture; empty if they are not visible."""
    if not binfmt.shares_kernel(host) or host.rootless or host.memory != _memory():
        return ""
    try:
        # Another user namespace may have its own entries.
        if _USERS.read_text("ascii").split() != _ALL_USERS or (folder / "status").read_text("ascii") != "enabled\n":
            return ""
        taking = [handler for handler in binfmt.handlers(folder) if handler.takes(program(arch))]
        entries = [[str(handler), (folder / handler.name).stat().st_ctime_ns] for handler in taking]
        # Without the F flag, the kernel looks for the emulator at each start of a program.
        emulators = [_state(Path(handler.interpreter)) for handler in taking]
        return json.dumps([str(arch), _BOOT.read_text("ascii"), host.address, host.identity, entries, emulators])
    except OSError:
        return ""


def pythons_of(host: DockerHost, image: Image, answers: Answers) -> Mapping[PythonTag, Interpreter]:
    """Like `find_pythons`, but with cached answers."""
    if (rows := answers.recall("pythons", image.id)) is None:
        found = find_pythons(host, image)
        rows = [[str(each.tag), each.version, str(each.path)] for each in found.values()]
        answers.keep(rows, "pythons", image.id)
    pythons = (Interpreter(parse_python(tag), version, Path(path)) for tag, version, path in rows)
    return MappingProxyType({python.tag: python for python in pythons})


def _memory() -> int:
    """The memory of this machine in bytes, which no virtual machine on it has exactly."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _state(path: Path) -> list[int]:
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
