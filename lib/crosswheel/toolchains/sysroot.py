"""The files of the target's system in a folder of this machine: an image's, or a folder that the user names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crosswheel.images.store import UnpackedImage
from crosswheel.model.targets import Target
from crosswheel.toolchains.gcc import Gcc, find_gcc


@dataclass(frozen=True)
class Sysroot:
    """Headers and libraries below `root`.

    With the `gcc` of an image, code is compiled and linked as by that gcc, against the image's C library, which is as
    old as its policy. Without one, Zig's C library and libc++ are used. `identity` is the digest of the image.
    """

    root: Path
    gcc: Gcc | None = None
    identity: str = ""

    @property
    def pkgconfig(self) -> list[Path]:
        """The folders of its .pc files."""
        patterns = (
            "usr/lib/*/pkgconfig",
            "usr/lib64/pkgconfig",
            "usr/lib/pkgconfig",
            "usr/local/lib*/pkgconfig",
            "usr/share/pkgconfig",
        )
        return [path for pattern in patterns for path in sorted(self.root.glob(pattern))]

    def includes(self, target: Target) -> list[Path]:
        """The folders of its headers, in the order in which a compiler looks."""
        folders = ("usr/local/include", f"usr/include/{target.multiarch}", "usr/include", "include")
        return [self.root / folder for folder in folders if (self.root / folder).is_dir()]

    def libraries(self, target: Target) -> list[Path]:
        """The folders of its libraries, in the order in which a linker looks."""
        bases = (
            "usr/local/lib",
            "usr/local/lib64",
            f"usr/lib/{target.multiarch}",
            f"lib/{target.multiarch}",
            "usr/lib64",
            "usr/lib",
            "lib64",
            "lib",
        )
        return [self.root / base for base in bases if (self.root / base).is_dir()]


def sysroot_of(image: UnpackedImage) -> Sysroot:
    """An image's files with its gcc."""
    return Sysroot(image.root, find_gcc(image.root, image.environ.get("PATH", "/usr/bin")), image.digest)
