"""The configuration by which the toolbox's clang acts like the compiler of a container's image (driver/clang)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from crosswheel.containers.host import Container
from crosswheel.errors import MissingTool
from crosswheel.model.targets import Architecture
from crosswheel.system.memo import answers_in
from crosswheel.system.process import CommandFailed
from crosswheel.toolchains.gcc import Gcc, clang_arguments
from crosswheel.toolchains.toolbox import MOUNT, RESOURCES

_KIND = "gcc"  # of kept answers
# Its preprocessor leaves the name as it is where long double on POWER is a sum of two doubles, and on other processors.
_LONG_DOUBLE = "__LONG_DOUBLE_IEEE128__"
_QUESTIONS = (
    "gcc -dumpmachine && gcc -print-libgcc-file-name"
    f" && echo {_LONG_DOUBLE} | gcc -E -P -x c - && (command -v gfortran || true)"
)


def clang_configuration(gcc: Gcc, arch: Architecture, *, debug_info: bool) -> str:
    """The arguments that make clang act like the container's compiler, one per line."""
    arguments = clang_arguments(gcc, arch, resources=RESOURCES, programs=MOUNT / "bin")
    afterwards = [] if debug_info else ["> -g0"]
    return "".join(f"{argument}\n" for argument in (*arguments, *afterwards))


def ask_gcc(container: Container, cache: Path, deadline: float) -> Gcc:
    """The container's gcc, asked once per image content. Raises MissingTool if the image has none."""
    kept, image = answers_in(cache), container.image
    if gcc := known_gcc(image.content, cache):
        return gcc
    try:
        told = container.run(["sh", "-c", _QUESTIONS], deadline=deadline)
        triple, libgcc, long_double, *fortran = told.split()
    except (CommandFailed, ValueError) as error:
        raise MissingTool(
            f"{image.reference} has no gcc with headers and libraries for clang",
            hint='before-all = "yum install -y gcc gcc-c++" in [tool.crosswheel], or another --image',
        ) from error
    ieee = long_double != _LONG_DOUBLE
    answer = {"triple": triple, "libgcc": libgcc, "fortran": bool(fortran), "ieee_long_double": ieee}
    kept.keep(answer, _KIND, image.content)
    return _gcc(answer)


def known_gcc(content: str, cache: Path) -> Gcc | None:
    """The gcc of an image by the image's content, if it was asked before."""
    answer = answers_in(cache).recall(_KIND, content)
    return _gcc(answer) if answer else None


def _gcc(answer: Mapping[str, Any]) -> Gcc:
    folder = PurePosixPath(answer["libgcc"]).parent
    return Gcc(answer["triple"], folder, answer["fortran"], answer["ieee_long_double"])
