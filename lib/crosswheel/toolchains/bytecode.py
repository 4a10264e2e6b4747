"""What interpreters under QEMU would find out slowly, and again in each new container, is brought along.

Bytecode: images carry none, and most of what a build backend takes under emulation is compiling what it imports. It
knows no architecture, only the minor version of CPython (PEP 3147), so an interpreter of this machine makes it, once.
And what uv learns of an interpreter by running it.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from crosswheel.containers.archives import anonymous
from crosswheel.containers.caches import PACKAGES
from crosswheel.containers.container import Container
from crosswheel.containers.environment import ENVIRONMENT
from crosswheel.errors import TimeLimit
from crosswheel.hosts import LocalHost
from crosswheel.keeping import locked, mark_used
from crosswheel.model import Interpreter, Listener, chore
from crosswheel.process import CommandFailed
from crosswheel.targets import PythonTag
from crosswheel.toolchains.pinned import version_of
from crosswheel.toolchains.toolbox import UV

_PATIENCE = 120  # seconds; nobody has read what is compiled here
# What no build and no test imports, and is half of it all.
_LEFT_OUT = r"/(test|tests|idlelib|turtledemo|lib2to3|pydoc_data|site-packages|config-[^/]*)/"


def put_bytecode(container: Container, there: Interpreter, host: LocalHost, listener: Listener) -> None:
    """Give the container what is known of one of its image's interpreters; nothing where this machine has none alike.

    Before anything of a project runs in it: what the container answers here is kept for other projects, too.
    """
    here = host.interpreters.get(there.tag)
    if here is None:
        return
    # uv compares the time at which an image's files were unpacked, which is another on each Docker host.
    where = hashlib.sha256(f"{container.docker.identity} {version_of('uv')}".encode()).hexdigest()[:12]
    kept = host.cache / "bytecode" / f"{container.image.id.rpartition(':')[2][:16]}-{there.tag}-{where}.tar"
    with locked(kept.with_suffix(".lock")):
        if not kept.is_file():
            with chore(f"compiling the standard library of {there.tag} for {container.image.arch}", listener):
                _learn(container, there, here, host, kept)
        mark_used(kept)
    _put(kept, container)


def put_bytecode_of_packages(container: Container, folder: PurePosixPath, tag: PythonTag, host: LocalHost) -> None:
    """Likewise for all that is installed in `folder`, whoever made it: sources that are the same are compiled once."""
    here = host.interpreters.get(tag)
    if here is None:
        return
    with tempfile.TemporaryDirectory(prefix="crosswheel-") as temporary:
        root = Path(temporary)
        container.get(folder, root)
        kept = host.cache / "bytecode" / f"packages-{_digest(root)}-{tag}.tar"
        with locked(kept.with_suffix(".lock")):
            if not kept.is_file():
                # Files are new in each container: bytecode is compared with what they hold, not with their times.
                _compile(root, folder, here, host, "checked-hash")
                _pack({str(folder): root}, kept)
            mark_used(kept)
    _put(kept, container)


def _learn(container: Container, there: Interpreter, here: Interpreter, host: LocalHost, kept: Path) -> None:
    ask = [str(there.path), "-I", "-S", "-c", "import os; print(os.path.dirname(os.__file__))"]
    stdlib = PurePosixPath(container.run(ask).strip())
    with tempfile.TemporaryDirectory(prefix="crosswheel-") as temporary:
        library, answers = Path(temporary, "library"), Path(temporary, "answers")
        container.get(stdlib, library)
        _compile(library, stdlib, here, host, "timestamp")
        first = Path(temporary, "first.tar")
        _pack({str(stdlib): library}, first)
        _put(first, container)
        folder = _ask_uv(container, there)
        container.get(folder, answers)
        _pack({str(stdlib): library, str(PACKAGES / folder.name): answers}, kept)


def _ask_uv(container: Container, there: Interpreter) -> PurePosixPath:
    """The folder of uv's cache with what it has learnt; not of the project's cache, in which anything may lie."""
    environ, home = {"UV_CACHE_DIR": "/crosswheel/answers"}, str(ENVIRONMENT)
    container.run([UV, "venv", "--quiet", "--no-project", "--python", str(there.path), home], env=environ)
    container.run([UV, "pip", "list", "--quiet", "--python", home], env=environ)
    (found,) = container.run(["sh", "-c", "echo /crosswheel/answers/interpreter-*"]).split()
    container.run(["rm", "-r", home])
    return PurePosixPath(found)


def _digest(root: Path) -> str:
    """Of all sources, with their names."""
    sha256 = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        sha256.update(f"{path.relative_to(root)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return sha256.hexdigest()[:32]


def _compile(root: Path, where: PurePosixPath, here: Interpreter, host: LocalHost, validation: str) -> None:
    """Add a folder __pycache__ to each folder of `root`, which is called `where` in the container."""
    command = [str(here.path), "-I", "-m", "compileall", "-q", "-j", "0", "-x", _LEFT_OUT]
    # From there, for what is left out must not be found in the path of this machine's temporary files.
    names = ["--invalidation-mode", validation, "-s", ".", "-p", str(where), "."]
    # A file of tests that is no Python on purpose makes it end with 1. Nothing is lost but time where there is none.
    with suppress(CommandFailed, TimeLimit):
        deadline = time.monotonic() + _PATIENCE
        host.processes.run([*command, *names], env=host.build_environ, cwd=root, deadline=deadline)


def _pack(folders: dict[str, Path], kept: Path) -> None:
    """An archive of all that is in the folders but for sources and libraries, under their names in the container."""
    partial = kept.with_name(f".{kept.name}.{os.getpid()}")
    with tarfile.open(partial, "w") as archive:
        for where, folder in folders.items():
            for path in _wanted(sorted(folder.rglob("*"))):
                archive.add(path, f"{where}/{path.relative_to(folder)}".lstrip("/"), filter=anonymous)
    partial.replace(kept)


def _wanted(paths: Iterable[Path]) -> Iterable[Path]:
    return (path for path in paths if path.is_file() and path.suffix in {".pyc", ".msgpack"})


def _put(archive: Path, container: Container) -> None:
    with archive.open("rb") as file:
        container.put_archive(file)
