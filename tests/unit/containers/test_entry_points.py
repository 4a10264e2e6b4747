"""The entry point of a 32-bit image starts each command; that of another image does not."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.containers.container import entrypoint
from crosswheel.containers.images import Image
from crosswheel.model.targets import parse_architecture

IMAGE = Image("sha256:1", "localhost/image:1", "", parse_architecture("armv7l"), {}, ("manylinux-entrypoint",), 0)

# What pypa's does for 32-bit Arm on a processor that runs 64-bit programs, too.
_ENTRY_POINT = """\
#!/bin/sh
[ "$AUDITWHEEL_ARCH" = armv7l ] && export _PYTHON_HOST_PLATFORM=linux-armv7l
exec "$@"
"""


@pytest.mark.parametrize("arch", ["armv7l", "i686"])
def test_commands_of_32_bit_images_go_through_it(arch: str) -> None:
    assert entrypoint(replace(IMAGE, arch=parse_architecture(arch))) == ("manylinux-entrypoint",)


@pytest.mark.parametrize("arch", ["aarch64", "x86_64", "s390x"])
def test_others_save_the_time(arch: str) -> None:
    assert entrypoint(replace(IMAGE, arch=parse_architecture(arch))) == ()


def test_its_variables_reach_the_command(tmp_path: Path) -> None:
    script = tmp_path / "manylinux-entrypoint"
    script.write_text(_ENTRY_POINT)
    script.chmod(0o755)
    words = [*entrypoint(replace(IMAGE, entrypoint=(str(script),))), "printenv", "_PYTHON_HOST_PLATFORM"]
    environ = {"PATH": os.defpath, "AUDITWHEEL_ARCH": "armv7l"}
    assert subprocess.run(words, env=environ, capture_output=True, text=True, check=True).stdout == "linux-armv7l\n"
