"""auditwheel's part of a repair: `python -m crosswheel.formats.auditwheel_repair`, whose answer is one line of JSON.

It changes the current folder while it works, and jobs are threads: so it has a process of its own. Without arguments it
imports all that repairs need and waits for requests from the socket that is its input, to fork for each. What nobody
has use for is not imported here: somebody may be waiting for it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from elftools.common.exceptions import ELFError

from crosswheel.formats.elf import BadElf
from crosswheel.formats.stripping import stripped
from crosswheel.formats.wheel_writer import seal
from crosswheel.model.targets import Target, parse_target

if TYPE_CHECKING:
    from auditwheel.libc import Libc
    from auditwheel.wheel_abi import WheelAbIInfo


def main(arguments: list[str]) -> None:
    """Repair one wheel; print ``{"wheel": PATH}``, ``{"missing": LIBRARY}`` or ``{"error": TEXT, "hint": TEXT}``."""
    wheel, target, folder, strip, libraries, epoch = arguments
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    repair = _Repair(Path(wheel), parse_target(target), Path(folder), Path(libraries), bool(strip))
    answer = repair.result(int(epoch))
    sys.stdout.write(json.dumps(answer) + "\n")


def _error(text: str, hint: str = "") -> dict[str, str]:
    return {"error": text, "hint": hint}


class _Refused(Exception):  # noqa: N818 - an answer, which is not always an error
    """Ends a repair with this answer."""

    def __init__(self, answer: dict[str, str]) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass(frozen=True)
class _Repair:
    """Auditwheel's own steps (its main_repair.py), through its API: its command line refuses foreign architectures."""

    given: Path
    target: Target
    folder: Path
    libraries: Path
    strip: bool

    def result(self, epoch: int) -> dict[str, str]:
        from auditwheel.error import NonPlatformWheelError

        try:
            made = self._repaired()
        except NonPlatformWheelError:
            return {"wheel": str(self.given)}  # no ELF of this architecture in it: the audit has the words for that
        except _Refused as refused:
            return refused.answer
        return {"wheel": str(seal(made, self.given.name, self._platforms, epoch, self.folder))}

    @property
    def _platforms(self) -> list[str]:
        """The perennial name and, where the policy has one, the legacy name; exactly these."""
        return list(dict.fromkeys([self.target.platform, f"{self.target.policy}_{self.target.arch}"]))

    def _repaired(self) -> Path:
        from auditwheel.architecture import Architecture
        from auditwheel.patcher import ElfPatcher
        from auditwheel.repair import repair_wheel
        from auditwheel.wheel_abi import analyze_wheel_abi

        wheel = self._prepared()
        try:
            abi = analyze_wheel_abi(
                self._libc,
                Architecture(str(self.target.arch)),
                wheel,
                frozenset(),
                disable_isa_ext_check=False,
                allow_graft=True,
                requested_policy_base_name=self.target.policy.provable.perennial,
                args_ldpaths=str(self.libraries),
            )
        except (ELFError, RuntimeError) as error:  # of a broken file, and of a library in the folder purelib
            raise _Refused(_error(f"auditwheel cannot analyse the wheel: {error}")) from error
        proven = f"{self.target.policy.provable.perennial}_{self.target.arch}"
        if complaint := _complaint(abi, proven, self.target):
            raise _Refused(complaint)
        # repair_wheel looks up external libraries by the first name, which has to be one that auditwheel knows.
        references = {
            path: {**refs, self.target.platform: replace(refs[proven], libs=dict(self._grafts(refs[proven].libs)))}
            for path, refs in abi.full_external_refs.items()
        }
        (self.folder / "grafted").mkdir()
        repaired = repair_wheel(
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
        return repaired or wheel

    @property
    def _libc(self) -> Libc:
        from auditwheel.libc import Libc

        return Libc.GLIBC if self.target.policy.libc == "glibc" else Libc.MUSL

    def _prepared(self) -> Path:
        """The wheel as auditwheel should see it; stripped before anything is patched, for that moves sections."""
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
        """Musl's libc under the name that distributions and policies know.

        Zig calls it libc.so. musl's loader takes that for itself too, but auditwheel looks for libc.musl-ARCH.so.1.
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
        """A copy of each, for auditwheel to graft: it names a library by its content, and keeps its permissions."""
        from auditwheel.lddtree import LIBPYTHON_RE

        for name, path in libraries.items():
            if LIBPYTHON_RE.match(name):
                yield name, None  # which auditwheel takes out of the needed libraries
                continue
            source = self._source(name, path)
            file = Path(name).name  # a library without a soname is asked for by the path that it was linked by
            copy = self.folder / "grafts" / file / file
            data = source.read_bytes()
            data = stripped(data) if self.strip else data
            if copy.exists() and copy.read_bytes() != data:
                text = f"the wheel needs two different libraries that are both called {name}"
                raise _Refused(_error(text, "give one of them another name, or link it statically"))
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
            copy.chmod(0o755)
            yield name, copy

    def _source(self, name: str, path: Path | None) -> Path:
        """Where a library comes from: of what run paths lead to only the build's own are taken."""
        if path and path.resolve().is_relative_to(self.folder.parent.resolve()):
            return path
        # A path leads past that folder, to what this machine has there.
        if "/" in name or not (self.libraries / name).is_file():
            raise _Refused({"missing": name})
        return self.libraries / name


def _strip(path: Path) -> None:
    with contextlib.suppress(BadElf):  # no ELF file, or one that the audit has the words for
        path.write_bytes(stripped(path.read_bytes()))


def _complaint(abi: WheelAbIInfo, name: str, target: Target) -> dict[str, str]:
    """Why the wheel cannot keep the policy's promise, and what to ask for instead; empty if it can."""
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
        "hint": f"--policy {fits}" if fits != "linux" else "build without the flags or libraries that bring these in",
    }


def _too_new(symbols: dict[str, set[str]], wanted: Any) -> list[str]:
    """``GLIBC_2.34 (libc.so.6)`` for each version that the policy does not have."""
    return sorted(
        f"{version} ({library})"
        for library, versions in symbols.items()
        for version in versions
        if (prefix := version.partition("_")[0]) in wanted.symbol_versions
        and version.removeprefix(f"{prefix}_") not in wanted.symbol_versions[prefix]
    )


def serve(connection: socket.socket) -> None:
    """Repair in a fork whatever is asked for, until nobody can ask any more.

    A request comes with three files: a connection for the fork's number and how it ended, its output, its errors.
    """
    import auditwheel.patcher
    import auditwheel.repair
    import auditwheel.wheel_abi  # noqa: F401 - for the forks

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks knows what to end
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    while True:
        request, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
        if not request:
            return
        if os.fork() == 0:
            _repair_here(request, *files)
        for file in files:
            os.close(file)


def _repair_here(request: bytes, status: int, out: int, err: int) -> NoReturn:
    """In a session of its own, so that it can be ended with whatever it has started."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.write(status, f"{os.getpid()} ".encode())
    code = 1
    try:
        # Not the connection to whoever asks.
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
        os.write(status, str(code).encode())
        os._exit(code)


if __name__ == "__main__":
    if sys.argv[1:]:
        main(sys.argv[1:])
    else:
        serve(socket.socket(fileno=0))
