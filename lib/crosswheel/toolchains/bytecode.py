"""Compiles bytecode for interpreters under QEMU: images have none, and compiling it there takes most of the time.

Bytecode depends on CPython's minor version (PEP 3147), not on the architecture, so an interpreter of this machine can
make it once for all containers.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import time
from contextlib import suppress
from pathlib import Path, PurePosixPath

from crosswheel.containers.archives import anonymous
from crosswheel.containers.host import Container
from crosswheel.errors import TimeLimit
from crosswheel.model.job import Interpreter
from crosswheel.model.targets import PythonTag
from crosswheel.system.local_host import LocalHost
from crosswheel.system.locks import locked, mark_used
from crosswheel.system.process import CommandFailed
from crosswheel.system.scratch import temporary_folder

_PATIENCE = 120  # seconds; the sources are not trusted
# Folders that no build and no test imports; half of the library.
_LEFT_OUT = r"/(test|tests|idlelib|turtledemo|lib2to3|pydoc_data|site-packages|config-[^/]*)/"


def put_bytecode(container: Container, there: Interpreter, host: LocalHost, deadline: float) -> None:
    """Put bytecode of an interpreter's standard library into the container, if this machine has such a Python."""
    here = host.interpreters.get(there.tag)
    if here is None:
        return
    kept = host.cache / "bytecode" / f"{container.image.id.rpartition(':')[2][:16]}-{there.tag}.tar"
    with locked(kept.with_suffix(".lock"), host.processes.look):
        if not kept.is_file():
            stdlib = _stdlib(container, there, deadline)
            _learn(container, stdlib, here, host, kept)
        mark_used(kept)
    _put(kept, container)


def put_bytecode_of_packages(container: Container, folder: PurePosixPath, tag: PythonTag, host: LocalHost) -> None:
    """Put bytecode of the packages in `folder` into the container; identical sources are compiled once."""
    here = host.interpreters.get(tag)
    if here is None:
        return
    with temporary_folder() as temporary:
        root = Path(temporary)
        container.get(folder, root)
        kept = host.cache / "bytecode" / f"packages-{_digest(root, folder)}-{tag}.tar"
        with locked(kept.with_suffix(".lock"), host.processes.look):
            if not kept.is_file():
                # Files are new in each container, so bytecode is checked against the sources' content, not their times.
                _compile(root, folder, here, host, "checked-hash")
                _pack(folder, root, kept)
            mark_used(kept)
    _put(kept, container)


def _stdlib(container: Container, there: Interpreter, deadline: float) -> PurePosixPath:
    ask = [str(there.path), "-I", "-S", "-c", "import os; print(os.path.dirname(os.__file__))"]
    return PurePosixPath(container.run(ask, deadline=deadline).strip())


def _learn(container: Container, stdlib: PurePosixPath, here: Interpreter, host: LocalHost, kept: Path) -> None:
    with temporary_folder() as temporary:
        library = Path(temporary, "library")
        container.get(stdlib, library)
        _compile(library, stdlib, here, host, "timestamp")
        _pack(stdlib, library, kept)


def _digest(root: Path, where: PurePosixPath) -> str:
    """A hash of all sources and their names, which bytecode contains."""
    sha256 = hashlib.sha256(f"{where}\n".encode())
    for path in sorted(root.rglob("*.py")):
        row = f"{path.relative_to(root)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        sha256.update(row.encode("utf-8", "surrogateescape"))
    return sha256.hexdigest()[:32]


def _compile(root: Path, where: PurePosixPath, here: Interpreter, host: LocalHost, validation: str) -> None:
    """Add __pycache__ folders below `root`, whose path in the container is `where`."""
    command = [str(here.path), "-I", "-m", "compileall", "-q", "-j", "0", "-x", _LEFT_OUT]
    # From that folder, because exclusion patterns must not match this machine's path of temporary files.
    names = ["--invalidation-mode", validation, "-s", ".", "-p", str(where), "."]
    # Test files with intended syntax errors give exit code 1; missing bytecode only costs time.
    with suppress(CommandFailed, TimeLimit):
        deadline = time.monotonic() + _PATIENCE
        host.processes.run([*command, *names], env=host.build_environ, cwd=root, deadline=deadline)


def _pack(where: PurePosixPath, folder: Path, kept: Path) -> None:
    """An archive of all bytecode in the folder, with its paths in the container."""
    partial = kept.with_name(f".{kept.name}.{os.getpid()}")
    with tarfile.open(partial, "w") as archive:
        for path in sorted(folder.rglob("*.pyc")):
            archive.add(path, f"{where}/{path.relative_to(folder)}".lstrip("/"), filter=anonymous)
    partial.replace(kept)


def _put(archive: Path, container: Container) -> None:
    with archive.open("rb") as file:
        container.put_archive(file)
