"""Images of Debian packages that stand for those of others, each with its place in a registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from containers.stand_ins.archive import Image
from containers.stand_ins.busybox import busybox
from containers.stand_ins.dockcross import dockcross
from containers.stand_ins.manylinux import POLICY, manylinux
from containers.stand_ins.qemu_user_static import qemu_user_static
from containers.stand_ins.slim import slim

# Of an architecture as wheels name it; own files go to the first folder, what is kept between runs to the other.
Recipe = Callable[[str, Path, Path], Image]

STAND_INS: Mapping[str, tuple[str, Recipe]] = {
    f"pypa/{POLICY}_x86_64": ("x86_64", manylinux),
    f"pypa/{POLICY}_aarch64": ("aarch64", manylinux),
    f"dockcross/{POLICY}-aarch64": ("x86_64", dockcross),
    "multiarch/qemu-user-static": ("x86_64", qemu_user_static),
    "arm64v8/python": ("aarch64", slim),
    "arm64v8/busybox": ("aarch64", busybox),
    "amd64/busybox": ("x86_64", busybox),
}
