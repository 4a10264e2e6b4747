"""The standard library of an image's CPython, compiled to bytecode on this machine.

Images carry none: under emulation each new container would compile, slowly and again, whatever it imports. Bytecode
knows no architecture, only the minor version of CPython (PEP 3147), so an interpreter of this machine makes it, once
per image; into containers it is copied.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath

from crosswheel.containers.container import Container
from crosswheel.hosts import LocalHost
from crosswheel.keeping import locked, mark_used
from crosswheel.model import Interpreter, Listener, chore
from crosswheel.process import CommandFailed

# What no build and no test imports, and is half of it all.
_LEFT_OUT = r"/(test|tests|idlelib|turtledemo|lib2to3|pydoc_data|site-packages|config-[^/]*)/"


def put_bytecode(container: Container, there: Interpreter, host: LocalHost, listener: Listener) -> None:
    """Give the container the bytecode of its interpreter's standard library, if this machine can make it."""
    here = host.interpreters.get(there.tag)
    if here is None:
        return
    kept = host.cache / "bytecode" / f"{container.image.id.rpartition(':')[2][:16]}-{there.tag}.tar"
    with locked(kept.with_suffix(".lock")):
        if not kept.is_file():
            with chore(f"compiling the standard library of {there.tag} for {container.image.arch}", listener):
                _compile(container, there, here, host, kept)
        mark_used(kept)
    with kept.open("rb") as file:
        container.put_archive(file)


def _compile(container: Container, there: Interpreter, here: Interpreter, host: LocalHost, kept: Path) -> None:
    """An archive of every folder __pycache__ of the standard library, under their full names."""
    ask = [str(there.path), "-I", "-S", "-c", "import os; print(os.path.dirname(os.__file__))"]
    stdlib = PurePosixPath(container.run(ask).strip())
    partial = kept.with_name(f".{kept.name}.{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix="crosswheel-") as folder:
        root = Path(folder)
        container.get(stdlib, root)
        command = [str(here.path), "-I", "-m", "compileall", "-q", "-j", "0", "-x", _LEFT_OUT]
        # A file of tests that is no Python on purpose makes it end with 1.
        with suppress(CommandFailed):
            host.processes.run([*command, "-s", folder, "-p", str(stdlib), folder], env=host.build_environ)
        with tarfile.open(partial, "w") as archive:
            for path in sorted(root.rglob("*.pyc")):
                archive.add(path, str(stdlib / path.relative_to(root)).lstrip("/"))
    partial.replace(kept)
