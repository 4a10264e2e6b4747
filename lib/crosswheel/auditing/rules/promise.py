"""The promise of a platform tag, by auditwheel's policies: libraries of the system, and their symbol versions."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crosswheel.formats.wheels import Wheel
from crosswheel.model.targets import Architecture, Libc, Policy

if TYPE_CHECKING:
    from auditwheel.policy import WheelPolicies


@dataclass(frozen=True)
class Promise:
    """The libraries and symbol versions that a policy allows: `versions` maps GLIBC to 2.17, 2.18 and so on.

    `forbidden` maps a library to symbols that some builds of it lack.
    """

    name: str
    libc: Libc
    libraries: frozenset[str]
    versions: Mapping[str, frozenset[str]]
    forbidden: Mapping[str, frozenset[str]]

    def allows_library(self, name: str) -> bool:
        return name in self.libraries or is_of_libc(name, self.libc)

    def allows_version(self, text: str) -> bool:
        """Whether the policy allows a version; it does not limit prefixes that it does not list, such as OPENSSL."""
        prefix, _, number = text.partition("_")
        return prefix not in self.versions or number in self.versions[prefix]

    def ceiling(self, text: str) -> str:
        """The newest allowed version with the prefix of `text`, as ``at most GLIBC_2.17``."""
        prefix, _, _ = text.partition("_")
        numbers = (number for number in self.versions[prefix] if re.fullmatch(r"[\d.]+", number))
        newest = max(numbers, key=lambda number: [int(part) for part in number.split(".")], default="")
        return f"at most {prefix}_{newest}" if newest else f"no version of {prefix}"


def _versions(listed: Mapping[str, frozenset[str]], policy: Policy) -> Mapping[str, frozenset[str]]:
    """The symbol versions of a policy; one unknown to auditwheel, such as manylinux_2_29, gets those of its glibc."""
    between = range(policy.provable.minor + 1, policy.minor + 1)
    if policy.libc == "musl" or not between:
        return listed
    return {**listed, "GLIBC": listed["GLIBC"] | {f"{policy.major}.{minor}" for minor in between}}


def is_loader(library: str) -> bool:
    """Whether it is the dynamic loader, which every process has; auditwheel leaves out the same names."""
    return library.startswith("ld-linux") or library in {"ld64.so.1", "ld64.so.2"}


# musl's loader provides these libraries itself, whatever follows the dot (`reserved` in load_library,
# ldso/dynlink.c). libresolv and libcrypt are not among them.
_MUSL_ITSELF = re.compile(r"lib(?:c|pthread|rt|m|dl|util|xnet)\.|ld-musl-\w+\.so\.1")


def is_of_libc(library: str, libc: Libc) -> bool:
    """Whether the C library provides this library itself, so that no policy has to list it."""
    return bool(_MUSL_ITSELF.match(library)) if libc == "musl" else is_loader(library)


@functools.cache
def promise_of(policy: Policy, arch: Architecture) -> Promise | None:
    """The promise of a policy; None if auditwheel has no such policy for the architecture."""
    try:
        found = policies_of(policy, arch).get_policy_by_name(f"{policy.provable.perennial}_{arch}")
    except (LookupError, AssertionError):  # AssertionError: the architecture lacks this musllinux policy
        return None
    versions = _versions(found.symbol_versions, policy)
    return Promise(f"{policy.perennial}_{arch}", policy.libc, found.whitelist, versions, found.blacklist)


@functools.cache
def policies_of(policy: Policy, arch: Architecture) -> WheelPolicies:
    """Auditwheel's policies for the C library; for musl only the given one, as its policies are independent."""
    from auditwheel.architecture import Architecture as TheirArchitecture
    from auditwheel.libc import Libc
    from auditwheel.policy import WheelPolicies

    musl = policy.provable.perennial if policy.libc == "musl" else None
    return WheelPolicies(libc=Libc(policy.libc), arch=TheirArchitecture(arch.name), musl_policy=musl)


def promises(wheel: Wheel) -> Iterator[Promise]:
    """The strictest promises of a wheel: the oldest policy in its tags for each C library and architecture."""
    kept: set[tuple[str, Architecture]] = set()
    for policy, arch in wheel.platforms:
        promise = promise_of(policy, arch)
        if promise and (policy.libc, arch) not in kept:
            kept.add((policy.libc, arch))
            yield promise
