"""Which foreign programs this machine's kernel hands to an emulator: binfmt_misc, looked at and changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from containers.program import ProgramFailed, run_program

_FOLDER = Path("/proc/sys/fs/binfmt_misc")
_DEBIAN = Path("/usr/lib/binfmt.d")
AARCH64 = "qemu-aarch64"


class BinfmtUnavailable(Exception):  # noqa: N818 - reads as what happened
    """This machine's kernel cannot be told, and why: a reason to skip."""


@dataclass(frozen=True)
class Handler:
    """An entry of binfmt_misc; with F among the flags, its interpreter serves in every container."""

    name: str
    enabled: bool
    interpreter: str
    flags: str
    offset: str
    magic: str
    mask: str

    @property
    def line(self) -> str:
        """What has to be written to `register` to have it again."""
        magic, mask = (_escaped(text) for text in (self.magic, self.mask))
        return f":{self.name}:M:{self.offset}:{magic}:{mask}:{self.interpreter}:{self.flags}"


def handler(name: str = AARCH64) -> Handler | None:
    """As the kernel has it now; None where nothing is registered under that name."""
    try:
        first, *lines = (_FOLDER / name).read_text("ascii").splitlines()
    except FileNotFoundError:
        return None
    parts = (line.partition(" ") for line in lines)
    values = {key.removesuffix(":"): value.strip() for key, _, value in parts}
    return Handler(
        name=name,
        enabled=first == "enabled",
        interpreter=values["interpreter"],
        flags=values["flags"],
        offset=values["offset"],
        magic=values["magic"],
        mask=values.get("mask", "ff" * (len(values["magic"]) // 2)),
    )


@contextmanager
def binfmt() -> Iterator[None]:
    """See to it that binfmt_misc is mounted; as it was, afterwards."""
    if (_FOLDER / "register").exists():
        yield
        return
    try:
        run_program("mount", "-t", "binfmt_misc", "none", str(_FOLDER))
    except ProgramFailed as error:
        raise BinfmtUnavailable(str(error)) from error
    try:
        yield
    finally:
        run_program("umount", str(_FOLDER))


@contextmanager
def registered(name: str = AARCH64) -> Iterator[Handler]:
    """With Debian's emulator for these programs, where nothing serves them in containers; as it was, afterwards."""
    with binfmt():
        before = handler(name)
        if before is None or not before.enabled or "F" not in before.flags:
            _replace(name, _debian_line(name))
        now = handler(name)
        assert now is not None
        try:
            yield now
        finally:
            _restore({name: before} if before else {}, [name])


@contextmanager
def unregistered(name: str = AARCH64) -> Iterator[None]:
    """With nothing for these programs.

    Afterwards all of QEMU's entries are as they were, whatever happened to them in the meantime.
    """
    with binfmt():
        before = _qemu_handlers()
        for each in before.values():
            if not Path(each.interpreter).is_file():
                raise BinfmtUnavailable(f"{each.interpreter} of {each.name} came from a container: it would be lost")
        _replace(name, None)
        try:
            yield
        finally:
            _restore(before, {*before, *_qemu_handlers()})


def _qemu_handlers() -> dict[str, Handler]:
    found = {path.name: handler(path.name) for path in _FOLDER.glob("qemu-*")}
    return {name: each for name, each in found.items() if each}


def _restore(before: Mapping[str, Handler], names: Iterable[str]) -> None:
    for name in names:
        if handler(name) != before.get(name):
            _replace(name, before[name].line if name in before else None)


def _replace(name: str, line: str | None) -> None:
    try:
        if (_FOLDER / name).exists():
            (_FOLDER / name).write_text("-1", "ascii")
        if line is not None:
            (_FOLDER / "register").write_text(line, "ascii")
    except OSError as error:
        raise BinfmtUnavailable(f"{name} cannot be registered: {error}") from error


def _debian_line(name: str) -> str:
    """Of qemu-user-static; F is added where Debian leaves it out."""
    try:
        line = (_DEBIAN / f"{name}.conf").read_text("ascii").strip()
    except FileNotFoundError:
        raise BinfmtUnavailable("qemu-user-static is not installed") from None
    rest, _, flags = line.rpartition(":")
    return f"{rest}:{flags}" if "F" in flags else f"{rest}:{flags}F"


def _escaped(digits: str) -> str:
    return "".join(rf"\x{digits[at : at + 2]}" for at in range(0, len(digits), 2))
