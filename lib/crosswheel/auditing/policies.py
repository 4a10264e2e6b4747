"""The platform policies that a wheel complies with: the result of ``auditwheel show --json``, for any architecture.

auditwheel looks for the wheel's libraries on the machine that it runs on, so its answer depends on that machine. Here
the policies are auditwheel's own, and everything else is read from the wheel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crosswheel.auditing.rules.promise import is_loader, is_of_libc, policies_of, promise_of
from crosswheel.formats.elf import Elf
from crosswheel.formats.wheels import Wheel
from crosswheel.model.targets import Architecture, Libc, Policy

if TYPE_CHECKING:
    from auditwheel.policy import Policy as TheirPolicy

_PYFPE = {"PyFPE_jbuf", "PyFPE_dummy", "PyFPE_counter"}


@dataclass(frozen=True)
class Upgrade:
    """The obstacles between a wheel and an older policy."""

    libs_to_eliminate: tuple[str, ...]
    blacklisted_symbols: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Analysis:
    """The fields of auditwheel's document, for one C library and architecture in the wheel's tag.

    `overall_tag` is the oldest policy that the wheel complies with, ``linux_ARCH`` if none; `sym_tag` is the oldest
    that its symbol versions allow. `policy_upgrades` has the policies older than `overall_tag`.
    """

    overall_tag: str
    sym_tag: str
    pyfpe: bool
    ucs2: bool
    unsupported_isa: bool
    versioned_symbols: Mapping[str, tuple[str, ...]]
    external_libs: tuple[str, ...]
    policy_upgrades: Mapping[str, Upgrade]


def analyses(wheel: Wheel) -> Iterator[Analysis]:
    """One analysis per C library and architecture in the wheel's tags; none for a pure wheel."""
    seen = set()
    for policy, arch in wheel.platforms:
        if (policy.libc, arch) not in seen and promise_of(policy, arch):
            seen.add((policy.libc, arch))
            yield _analysis(wheel, policy, arch)


def _analysis(wheel: Wheel, policy: Policy, arch: Architecture) -> Analysis:
    binaries = [elf for elf in wheel.elves.values() if isinstance(elf, Elf) and elf.machine == arch.machine]
    policies = policies_of(policy, arch)
    versions = _versioned_symbols(binaries)
    upgrades = {theirs.name: _upgrade(wheel, binaries, theirs, policy.libc) for theirs in policies}
    by_symbols = policies.versioned_symbols_policy({library: set(names) for library, names in versions.items()})
    by_libraries = max(
        (theirs for theirs in policies if theirs == policies.linux or upgrades[theirs.name] == Upgrade((), {})),
    )
    pyfpe = any(symbol.name in _PYFPE for elf in binaries for symbol in elf.undefined)
    beyond = arch.name in {"x86_64", "i686"} and any(elf.instructions for elf in binaries)
    overall = policies.linux if pyfpe or beyond else min(by_symbols, by_libraries)
    return Analysis(
        overall_tag=overall.name,
        sym_tag=by_symbols.name,
        pyfpe=pyfpe,
        ucs2=False,  # concerns Python 2 only
        unsupported_isa=beyond,
        versioned_symbols=versions,
        external_libs=upgrades[policies.highest.name].libs_to_eliminate,
        policy_upgrades={
            theirs.name: upgrades[theirs.name]
            for theirs in policies
            if theirs > overall and upgrades[theirs.name] != Upgrade((), {})
        },
    )


def _versioned_symbols(binaries: list[Elf]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = defaultdict(set)
    for elf in binaries:
        for library, versions in elf.versions_needed.items():
            if not is_loader(library):
                found[library].update(versions)
    return {library: tuple(sorted(found[library])) for library in sorted(found)}


def _upgrade(wheel: Wheel, binaries: list[Elf], policy: TheirPolicy, libc: Libc) -> Upgrade:
    needed = {library for elf in binaries for library in elf.needed if not is_of_libc(library, libc)}
    forbidden: dict[str, set[str]] = defaultdict(set)
    for elf in binaries:
        for library in set(elf.needed) & set(policy.blacklist):
            names = (symbol.name for symbol in elf.undefined if not symbol.weak)
            forbidden[library] |= policy.blacklist[library].intersection(names)
    return Upgrade(
        tuple(sorted(needed - wheel.brought_along - policy.whitelist)),
        {library: tuple(sorted(names)) for library, names in sorted(forbidden.items()) if names},
    )
