"""What the image's gcc is asked, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

import pytest

from crosswheel.containers.host import Container
from crosswheel.containers.images import Image
from crosswheel.errors import MissingTool
from crosswheel.model.targets import architectures
from crosswheel.system.process import CommandFailed
from crosswheel.toolchains.clang import ask_gcc, clang_configuration
from crosswheel.toolchains.gcc import Gcc

IMAGE = Image("sha256:1", "localhost/image:1", "", architectures()["aarch64"], {}, (), 0)
LIBGCC = "/usr/lib/gcc/aarch64-linux-gnu/14/libgcc.a"


@dataclass
class Asked:
    """A container whose shell gives one answer, or fails without one."""

    answer: str
    image: Image = IMAGE
    commands: list[Any] = field(default_factory=list)

    def run(self, argv: list[str], **_given: object) -> str:
        self.commands.append(argv)
        if not self.answer:
            raise CommandFailed(argv, 127, "gcc: not found")
        return self.answer


@pytest.mark.parametrize(("fortran", "path"), [(True, "/usr/bin/gfortran\n"), (False, "")])
def test_the_image_says_whether_it_has_fortran(tmp_path: Path, fortran: bool, path: str) -> None:
    container = Asked(f"aarch64-linux-gnu\n{LIBGCC}\n__LONG_DOUBLE_IEEE128__\n{path}")
    gcc = Gcc("aarch64-linux-gnu", PurePosixPath(LIBGCC).parent, fortran=fortran)
    for _ in range(2):
        assert ask_gcc(cast("Container", container), tmp_path, 0) == gcc
    assert len(container.commands) == 1


@pytest.mark.parametrize(("preprocessed", "ieee"), [("1", True), ("__LONG_DOUBLE_IEEE128__", False)])
def test_the_image_says_which_long_double_it_has(tmp_path: Path, preprocessed: str, ieee: bool) -> None:
    container = cast("Container", Asked(f"powerpc64le-redhat-linux\n{LIBGCC}\n{preprocessed}\n"))
    assert ask_gcc(container, tmp_path, 0).ieee_long_double == ieee
    configuration = clang_configuration(ask_gcc(container, tmp_path, 0), architectures()["ppc64le"], debug_info=True)
    assert ("-mabi=ieeelongdouble" in configuration.splitlines()) == ieee


@pytest.mark.parametrize("answer", ["", "aarch64-linux-gnu\n"])
def test_an_image_without_gcc_is_named(tmp_path: Path, answer: str) -> None:
    with pytest.raises(MissingTool, match="localhost/image:1 has no gcc") as caught:
        ask_gcc(cast("Container", Asked(answer)), tmp_path, 0)
    assert caught.value.hint.startswith("before-all = ")
