"""Which engines cannot build a source because of what it needs beside a C compiler: known before anything is built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from crosswheel.engines.facts import Facts
from crosswheel.errors import MissingTool
from crosswheel.model.config import Config
from crosswheel.model.job import BEST, Need, NeedName
from crosswheel.model.targets import Target
from crosswheel.toolchains.description import find_python
from crosswheel.toolchains.rust import rust_target

_TITLES: dict[NeedName, str] = {
    "rust": "Rust",
    "openmp": "OpenMP",
    "fortran": "a Fortran compiler",
    "interpreter": "the target's interpreter",
    "program": "programs of the target to run",
    "multibuild": "multibuild",
}
_IN_CONTAINERS = (
    "--engine accelerated, which needs the image, and an engine or user namespaces of this machine (crosswheel doctor)"
)
_CROSS_LACKS: dict[NeedName, str] = {
    "openmp": f"it has no OpenMP runtime; {_IN_CONTAINERS}",
    "fortran": f"it has no Fortran compiler; {_IN_CONTAINERS}",
    "multibuild": f"its scripts run in pypa's images; {_IN_CONTAINERS}",
}
_NO_FREE_THREADED = "its scripts know no free-threaded CPython"

_RUST_IN_IMAGES = 'before-all = "yum install -y rust cargo" in [tool.crosswheel], or "apk add rust cargo" for musllinux'
_IMAGES_LACK_RUST = f"its images have no Rust; {_RUST_IN_IMAGES}"


def ladder_for(needs: Iterable[Need], ladder: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The engines in the order in which they are tried, and why the first is: an image's rustc is slow or missing."""
    if any(need.name == "rust" for need in needs):
        others = (engine for engine in ladder if engine != "cross")
        return ("cross", *others), "fastest engine for Rust: its compiler runs on this machine"
    return tuple(ladder), BEST


def lacks(engine: str, needs: Iterable[Need], target: Target, config: Config, facts: Facts) -> str:
    """The reason why an engine certainly cannot serve these needs; empty if it may."""
    for need in needs:
        if need.sure and (reason := _lacks(engine, need, target, config, facts)):
            return f"the project needs {_TITLES[need.name]} ({need.evidence}): {reason}"
    return ""


def refuse_imports(needs: Iterable[Need], target: Target, root: Path | None) -> None:
    """Raise MissingTool if the build imports what it compiles; for a machine where no CPython of the target runs.

    `root` is the folder with the files of the target, known only after its image was fetched, or could not be.
    """
    need = next((need for need in needs if need.name == "interpreter" and need.sure), None)
    if need is None:
        return
    found = find_python(target, root)
    reason = "this machine has no QEMU for it" if found else "neither an image nor a sysroot with one is here"
    raise MissingTool(
        f"the build imports what it compiles ({need.evidence}), and no CPython of {target.arch} runs here: {reason}",
        hint="apt install qemu-user-static" if found else "crosswheel pull --unpacked, for the image with it",
    )


def refuse_programs(needs: Iterable[Need], target: Target, root: Path | None) -> None:
    """Raise MissingTool if the build runs programs that it compiles; for a machine where none of the target's runs.

    Not with a `root`: who names a folder with libraries may have the build use them, and compile no program.
    """
    need = next((need for need in needs if need.name == "program" and need.sure), None)
    if need and root is None:
        raise MissingTool(
            f"the build runs programs that it compiles ({need.evidence}), and none of {target.arch} runs here: "
            "neither an image nor a sysroot with the libraries is here",
            hint="crosswheel pull --unpacked, for the image with them",
        )


def doubt(needs: Iterable[Need]) -> str:
    """What the cross engine lacks and the source may need; empty if there is nothing."""
    unsure = [need for need in needs if not need.sure and need.name in _CROSS_LACKS]
    return " and ".join(f"{_TITLES[need.name]} ({need.evidence})" for need in unsure)


def _lacks(engine: str, need: Need, target: Target, config: Config, facts: Facts) -> str:
    if need.name == "multibuild" and target.python.free_threaded:
        return _NO_FREE_THREADED
    if engine == "cross":
        return _missing_rust(target, config, facts) if need.name == "rust" else _CROSS_LACKS.get(need.name, "")
    if engine == "dockcross" and need.name == "multibuild":
        return _CROSS_LACKS[need.name]
    return _IMAGES_LACK_RUST if need.name == "rust" and _is_as_pulled(target, config, engine) else ""


def _is_as_pulled(target: Target, config: Config, engine: str) -> bool:
    """Whether the build runs in pypa's or dockcross's image without a command of the project before it."""
    if engine not in {"native", "accelerated", "emulated", "dockcross"}:
        return False
    family = "dockcross" if engine == "dockcross" else "pypa"
    return not (config.build.before_all or config.build.before_build or config.image_for(target, family))


def _missing_rust(target: Target, config: Config, facts: Facts) -> str:
    """What of Rust is missing on this machine, and the command that installs it; empty if nothing is."""
    rust, triple = facts.rust(), rust_target(target)
    if isinstance(rust, str):
        return f"{rust}; install rustup, then: rustup target add {triple}"
    if rust.compiles_for(triple):
        return ""
    missing = f"Rust's standard library for {triple} is not installed"
    if not rust.rustup:
        return f"{missing}, and there is no rustup to add it; install rustup, or your system's package of it"
    if rust.lacks_for_good(triple):
        return f"Rust has no standard library for {triple} that rustup could add; {_RUST_IN_IMAGES}"
    may_download = config.build.download_rust == "auto" and not config.build.offline
    return "" if may_download else f"{missing}; rustup target add {triple}"
