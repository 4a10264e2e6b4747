"""The platform tags that the package index accepts, from the source of PyPI (warehouse/forklift/legacy.py)."""

from __future__ import annotations

import re

_LINUX = "x86_64|i686|aarch64|armv7l|ppc64le|s390x|riscv64"
_APPLE = "ppc|ppc64|i386|x86_64|arm64|intel|fat|fat3|fat64|universal|universal2"
_ACCEPTED = re.compile(
    "|".join(
        (
            r"any",
            r"manylinux(?:1|2010)_(?:x86_64|i686)",
            r"manylinux2014_(?:x86_64|i686|aarch64|armv7l|ppc64|ppc64le|s390x)",
            rf"manylinux_\d+_\d+_(?:{_LINUX}|ppc64)",
            rf"musllinux_\d+_\d+_(?:{_LINUX})",
            r"linux_armv[67]l",
            r"win32|win_(?:amd64|arm64|ia64)",
            # macOS counted minor versions up to 10.16, then major versions.
            rf"macosx_(?:10_\d+|(?:11|12|13|14|15|26)_0)_(?:{_APPLE})",
            r"ios_\d+_\d+_(?:arm64|x86_64)_(?:iphoneos|iphonesimulator)",
            r"android_\d+_(?:armeabi_v7a|arm64_v8a|x86|x86_64)",
            r"pyemscripten_\d+_\d+_wasm32",
        )
    )
)


def is_accepted(platform: str) -> bool:
    """Whether the index accepts this platform tag; it accepts a wheel only if it accepts all of its tags."""
    return bool(_ACCEPTED.fullmatch(platform))


def is_linux(platform: str) -> bool:
    return platform.startswith(("linux_", "manylinux", "musllinux"))
