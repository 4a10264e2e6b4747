"""What tests of both compiler drivers need: a compiler for them, and the words that both add."""

from __future__ import annotations

import os
import shutil

import pytest

from crosswheel.model.targets import load_table
from crosswheel.system.locks import user_cache

LENIENT_IN_C = [
    "-Wno-error=implicit-function-declaration", "-Wno-error=implicit-int", "-Wno-error=int-conversion",
    "-Wno-error=incompatible-pointer-types", "-Wno-error=incompatible-function-pointer-types",
    "-Wno-error=return-type", "-Wno-error=return-mismatch",
]  # fmt: skip


def compiler() -> list[str]:
    """Any C compiler of this machine, or the Zig that earlier builds have fetched."""
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return [found]
    zig = user_cache(os.environ) / "zig" / load_table("toolchains.toml")["zig"]["version"] / "ziglang" / "zig"
    if zig.is_file():
        return [str(zig), "cc"]
    pytest.skip("no C compiler here, and no Zig in the cache: nothing can compile zigcc")
