"""ccache in containers: what was compiled before, from the same text with the same compiler and flags, is copied.

A static program of the Docker host's machine, and so quick where compilers are emulated. It stands in PATH under the
names of compilers, and starts the next one of that name. Its results are those of the compiler: it looks at the text
of the source and of all that it includes, at the flags, and at the compiler itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import PurePosixPath

from crosswheel.containers.caches import OBJECTS
from crosswheel.containers.container import Container
from crosswheel.errors import CrosswheelError
from crosswheel.toolchains.toolbox import CCACHE

COMPILES = PurePosixPath("/var/tmp/crosswheel-compiles")  # noqa: S108 - in a container of its own

ENVIRON = {
    "CCACHE_DIR": str(OBJECTS),
    "CCACHE_MAXSIZE": "2G",
    # No file of settings: one among the objects could have been left there by any build.
    "CCACHE_CONFIGPATH": "/dev/null",
    # What a compiler is, its bytes say: packages give them any date.
    "CCACHE_COMPILERCHECK": "content",
    # It goes by numbers of devices, which the next container has again for other files.
    "CCACHE_NOINODECACHE": "1",
    "CCACHE_STATSLOG": str(COMPILES),
}

# ccache writes none of these names for what it merely passed on, such as linking and preprocessing.
_HITS, _MISSES = ("direct_cache_hit", "preprocessed_cache_hit"), ("cache_miss",)


def known_as(identity: str) -> dict[str, str]:
    """For a clang whose program says nothing of what it starts, and with which arguments; `identity` does."""
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return {"CCACHE_COMPILERCHECK": f"string:{digest}", "CCACHE_COMPILERTYPE": "clang"}


def compiles_in(container: Container) -> tuple[int, int]:
    """How many a container was served, and how many it had to do; none and none where ccache is not."""
    with contextlib.suppress(CrosswheelError, ValueError, AttributeError):
        said = json.loads(container.run([CCACHE, "--print-log-stats", "--format=json"], env=ENVIRON))
        hits, misses = (sum(int(said.get(name, 0)) for name in names) for names in (_HITS, _MISSES))
        return hits, misses
    return 0, 0
