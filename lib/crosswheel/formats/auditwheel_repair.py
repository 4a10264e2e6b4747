"""Runs auditwheel's repair: `python -m crosswheel.formats.auditwheel_repair` prints its answer as one line of JSON.

auditwheel changes the current folder, and jobs are threads, so it needs its own process. Without arguments it imports
everything that repairs need and waits for requests on the socket at its standard input; it forks for each request.
Imports are kept to a minimum, because a job may be waiting.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import signal
import socket
import sys
import traceback
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from elftools.common.exceptions import ELFError

from crosswheel.formats.elf import BadElf
from crosswheel.formats.packages import Package
from crosswheel.formats.sboms import OWNERS, Grafted, cyclonedx
from crosswheel.formats.stripping import stripped
from crosswheel.formats.wheel_writer import seal
from crosswheel.model.targets import Target, parse_target

if TYPE_CHECKING:
    from auditwheel.libc import Libc
    from auditwheel.wheel_abi import WheelAbIInfo


def main(arguments: list[str]) -> None:
    """Repair one wheel; print ``{"wheel": PATH}``, ``{"missing": LIBRARY}`` or ``{"error": TEXT, "hint": TEXT}``."""
    wheel, target, folder, strip, wider, libraries, epoch, exclude = arguments
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    excluded = frozenset(exclude.splitlines())
    places = Path(folder), Path(libraries)
    repair = _Repair(Path(wheel), parse_target(target), *places, bool(strip), bool(wider), excluded)
    answer = repair.result(int(epoch))
    sys.stdout.write(json.dumps(answer) + "\n")


_PLATLIB = (
    "setup(has_ext_modules=lambda: True) in setup.py, or the build backend's way to say that wheels have binaries"
)


def _error(text: str, hint: str = "") -> dict[str, str]:
    return {"error": text, "hint": hint}


class _Refused(Exception):  # noqa: N818 - an answer, which is not always an error
    """Raised to end a repair with this answer."""

    def __init__(self, answer: dict[str, str]) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass(frozen=True)
class _Repair:
    """The steps of auditwheel's main_repair.py, through its API: its command line refuses foreign architectures."""

    given: Path
    target: Target
    folder: Path
    libraries: Path
    strip: bool
    wider: bool
    exclude: frozenset[str]

    def result(self, epoch: int) -> dict[str, str]:
        from auditwheel.error import NonPlatformWheelError

        try:
            made, oldest = self._repaired()
        except NonPlatformWheelError:
            return {"wheel": str(self.given)}  # no ELF of this architecture in it: the audit reports that
        except _Refused as refused:
            return refused.answer
        self._write_sbom(made, epoch)
        return {"wheel": str(seal(made, self.given.name, [*self._platforms, *oldest], epoch, self.folder))}

    def _write_sbom(self, made: Path, epoch: int) -> None:
        """A document with the libraries that were grafted, into the wheel that auditwheel made."""
        if not (self.folder / "grafts").is_dir():
            return
        from packaging.utils import parse_wheel_filename

        name, version, *_ = parse_wheel_filename(self.given.name)
        with zipfile.ZipFile(made, "a") as archive:
            members = archive.namelist()
            if grafted := list(self._grafted(members)):
                document = cyclonedx(name, str(version), grafted, epoch)
                archive.writestr(_free_name(members), document)

    def _grafted(self, members: Sequence[str]) -> Iterator[Grafted]:
        """The libraries among the members, which auditwheel named by their content."""
        owners = json.loads((self.folder / OWNERS).read_text())
        for copy in sorted((self.folder / "grafts").glob("*/*")):
            data = copy.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            base, _, rest = copy.name.partition(".")
            named = f".libs/{base}-{digest[:8]}.{rest}"
            member = next((member for member in members if member.endswith(named)), "")
            theirs = self.libraries / copy.name
            # One that the build made itself may have the name of a package's.
            is_theirs = theirs.is_file() and data == self._finished(theirs.read_bytes())
            owner = Package(*owners[copy.name]) if is_theirs and copy.name in owners else None
            if member:
                yield Grafted(copy.name, member, digest, owner)

    def _finished(self, data: bytes) -> bytes:
        return stripped(data) if self.strip else data

    @property
    def _platforms(self) -> list[str]:
        """The platform tags: the perennial name and, if the policy has one, the legacy name."""
        return list(dict.fromkeys([self.target.platform, f"{self.target.policy}_{self.target.arch}"]))

    def _repaired(self) -> tuple[Path, list[str]]:
        """The repaired wheel, and the tags of the older policy that it complies with, if they are wanted."""
        import auditwheel.repair
        from auditwheel.architecture import Architecture
        from auditwheel.patcher import ElfPatcher
        from auditwheel.wheel_abi import analyze_wheel_abi

        wheel = self._prepared()
        try:
            abi = analyze_wheel_abi(
                self._libc,
                Architecture(str(self.target.arch)),
                wheel,
                self.exclude,
                disable_isa_ext_check=False,
                allow_graft=True,
                requested_policy_base_name=self.target.policy.provable.perennial,
                args_ldpaths=str(self.libraries),
            )
        except (ELFError, RuntimeError) as error:  # for a broken file, or a library in the folder purelib
            hint = _PLATLIB if "purelib" in str(error) else ""
            raise _Refused(_error(f"auditwheel cannot analyse the wheel: {error}", hint)) from error
        proven = f"{self.target.policy.provable.perennial}_{self.target.arch}"
        if complaint := _complaint(abi, proven, self.target):
            raise _Refused(complaint)
        # repair_wheel looks up external libraries by the first name, so auditwheel must know it.
        references = {
            path: {**refs, self.target.platform: replace(refs[proven], libs=dict(self._grafts(refs[proven].libs)))}
            for path, refs in abi.full_external_refs.items()
        }
        (self.folder / "grafted").mkdir()
        # It asks for the packages of this machine, which the libraries are not from: `_write_sbom` knows better.
        auditwheel.repair.create_sbom_for_wheel = lambda **_: None
        repaired = auditwheel.repair.repair_wheel(
            replace(abi, full_external_refs=references),
            wheel,
            abis=[self.target.platform],
            lib_sdir=".libs",
            out_dir=self.folder / "grafted",
            update_tags=False,
            patcher=ElfPatcher.get_patcher("patchelf", self.target.platform),
            strip=False,
            zip_compression_level=0,
        )
        return repaired or wheel, self._older_tags(abi, proven)

    def _older_tags(self, abi: WheelAbIInfo, proven: str) -> list[str]:
        """The tags of the oldest policy that the wheel complies with, if it is older than the target's."""
        oldest = abi.overall_policy
        if not self.wider or not abi.policies.get_policy_by_name(proven) < oldest:
            return []
        return [oldest.name, *oldest.aliases]

    @property
    def _libc(self) -> Libc:
        from auditwheel.libc import Libc

        return Libc.GLIBC if self.target.policy.libc == "glibc" else Libc.MUSL

    def _prepared(self) -> Path:
        """The wheel prepared for auditwheel; stripped before patching, because patching moves sections."""
        if self._libc.name != "MUSL" and not self.strip:
            return self.given
        from auditwheel.wheeltools import InWheelCtx

        prepared = self.folder / "prepared" / self.given.name
        prepared.parent.mkdir()
        with InWheelCtx(self.given) as context:
            context.out_wheel, context.zip_compression_level = prepared, 0
            if self.strip:
                for path in filter(Path.is_file, context.path.rglob("*")):
                    _strip(path)
            if self._libc.name == "MUSL":
                self._rename_musl(list(context.iter_files()))
        return prepared

    def _rename_musl(self, members: list[Path]) -> None:
        """Rename musl's libc to the name in distributions and policies.

        Zig calls it libc.so. musl's loader accepts that name, but auditwheel expects libc.musl-ARCH.so.1.
        """
        from auditwheel.architecture import Architecture
        from auditwheel.elfutils import elf_file_filter
        from auditwheel.patcher import ElfPatcher
        from auditwheel.policy import WheelPolicies

        policies = WheelPolicies(libc=self._libc, arch=Architecture(str(self.target.arch)))
        (known,) = (name for name in policies.highest.whitelist if name.startswith("libc."))
        patcher = ElfPatcher.get_patcher("patchelf", self.target.platform)
        for path, elf in elf_file_filter(members):
            dynamic = elf.get_section_by_name(".dynamic")
            if dynamic and any(getattr(tag, "needed", "") == "libc.so" for tag in dynamic.iter_tags("DT_NEEDED")):
                patcher.replace_needed(path, ("libc.so", known))
        patcher.apply_updates()

    def _grafts(self, libraries: Mapping[str, Path | None]) -> Iterator[tuple[str, Path | None]]:
        """Copies of the libraries for auditwheel, which names them by their content and keeps their permissions."""
        from auditwheel.lddtree import LIBPYTHON_RE

        for name, path in libraries.items():
            if LIBPYTHON_RE.match(name):
                yield name, None  # auditwheel removes it from the needed libraries
                continue
            source = self._source(name, path)
            file = Path(name).name  # a library without a soname is needed by the path that it was linked with
            copy = self.folder / "grafts" / file / file
            data = self._finished(source.read_bytes())
            if copy.exists() and copy.read_bytes() != data:
                text = f"the wheel needs two different libraries called {name}"
                raise _Refused(_error(text, "give one of them another name, or link it statically"))
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
            copy.chmod(0o755)
            yield name, copy

    def _source(self, name: str, path: Path | None) -> Path:
        """The file of a library; of those found by run paths, only libraries of the build are used."""
        if path and path.resolve().is_relative_to(self.folder.parent.resolve()):
            return path
        # The path leads out of that folder, to a library of this machine.
        if "/" in name or not (self.libraries / name).is_file():
            raise _Refused({"missing": name})
        return self.libraries / name


def _free_name(members: Sequence[str]) -> str:
    """Where the document goes: a wheel that is repaired again has one already."""
    (dist_info,) = {top for member in members if (top := member.partition("/")[0]).endswith(".dist-info")}
    names = (f"{dist_info}/sboms/crosswheel{number}.cdx.json" for number in ("", *range(1, len(members))))
    return next(name for name in names if name not in members)


def _strip(path: Path) -> None:
    with contextlib.suppress(BadElf):  # no ELF file, or one that the audit reports
        path.write_bytes(stripped(path.read_bytes()))


def _complaint(abi: WheelAbIInfo, name: str, target: Target) -> dict[str, str]:
    """The reason why the wheel cannot comply with the policy, and a hint; empty if it can."""
    wanted = abi.policies.get_policy_by_name(name)
    reasons = []
    if wanted > abi.sym_policy:
        reasons.append(
            "it needs symbol versions that are too new: " + ", ".join(_too_new(abi.versioned_symbols, wanted))
        )
    if wanted > abi.blacklist_policy:
        reasons.append("it uses symbols that the policy forbids")
    if wanted > abi.machine_policy:
        reasons.append(f"it needs instructions beyond the baseline of {target.arch}")
    if not reasons:
        return {}
    fits = abi.overall_policy.name.removesuffix(f"_{target.arch}")
    return {
        "error": f"the wheel cannot be {target.policy}: {'; '.join(reasons)}",
        "hint": f"--policy {fits}" if fits != "linux" else "build without the flags or libraries that cause this",
    }


def _too_new(symbols: dict[str, set[str]], wanted: Any) -> list[str]:
    """``GLIBC_2.34 (libc.so.6)`` for each symbol version newer than the policy."""
    return sorted(
        f"{version} ({library})"
        for library, versions in symbols.items()
        for version in versions
        if (prefix := version.partition("_")[0]) in wanted.symbol_versions
        and version.removeprefix(f"{prefix}_") not in wanted.symbol_versions[prefix]
    )


def serve(connection: socket.socket) -> None:
    """Repair each requested wheel in a fork, until the socket is closed.

    A request carries three file descriptors: a connection for the fork's process id, exit code and processor seconds;
    output; and errors.
    """
    import auditwheel.patcher
    import auditwheel.repair
    import auditwheel.wheel_abi  # noqa: F401 - for the forks

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # so that the client can kill the fork
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no waiting for the forks here
    while True:
        request, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
        if not request:
            return
        if os.fork() == 0:
            _repair_here(request, *files)
        for file in files:
            os.close(file)


def _repair_here(request: bytes, status: int, out: int, err: int) -> NoReturn:
    """Repair in a new session, so that all its processes can be ended together."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.write(status, f"{os.getpid()} ".encode())
    code = 1
    try:
        # Not the connection to the client.
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        for file in (status, out, err):
            os.set_inheritable(file, False)
        wanted = json.loads(request)
        os.chdir(wanted["cwd"])
        main(wanted["arguments"])
        sys.stdout.flush()
        code = 0
    except BaseException:  # noqa: BLE001 - the fork must never come back to the loop
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os.write(status, f"{code} {sum(os.times()[:4]):.2f}".encode())
        os._exit(code)


if __name__ == "__main__":
    if sys.argv[1:]:
        main(sys.argv[1:])
    else:
        serve(socket.socket(fileno=0))
