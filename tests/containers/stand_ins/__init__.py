"""Images of Debian packages that stand for those of others, each with its place in a registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from containers.stand_ins.alpine import alpine
from containers.stand_ins.archive import Image
from containers.stand_ins.binfmt import binfmt
from containers.stand_ins.busybox import busybox
from containers.stand_ins.dockcross import dockcross
from containers.stand_ins.manylinux import POLICY, manylinux
from containers.stand_ins.qemu_user_static import qemu_user_static
from containers.stand_ins.slim import full, slim, slim_3_9, slim_3_11
from containers.stand_ins.toolset import toolset

# Of an architecture as wheels name it; own files go to the first folder, what is kept between runs to the other.
Recipe = Callable[[str, Path, Path], Image]

STAND_INS: Mapping[str, tuple[str, Recipe]] = {
    f"pypa/{POLICY}_x86_64": ("x86_64", manylinux),
    f"pypa/{POLICY}_aarch64": ("aarch64", manylinux),
    f"pypa/{POLICY}_aarch64-toolset": ("aarch64", toolset),
    f"dockcross/{POLICY}-aarch64": ("x86_64", dockcross),
    "multiarch/qemu-user-static": ("x86_64", qemu_user_static),
    "tonistiigi/binfmt": ("x86_64", binfmt),
    "arm64v8/python": ("aarch64", slim),
    "arm64v8/python-3.11": ("aarch64", slim_3_11),
    "arm64v8/python-3.9": ("aarch64", slim_3_9),
    "arm64v8/python-alpine": ("aarch64", alpine),
    "amd64/python": ("x86_64", slim),
    "amd64/python-full": ("x86_64", full),
    "arm64v8/busybox": ("aarch64", busybox),
    "amd64/busybox": ("x86_64", busybox),
}
