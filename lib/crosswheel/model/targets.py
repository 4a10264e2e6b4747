"""Targets of wheels: a CPython, an architecture and a platform policy.

A `Target` is parsed from text such as ``cp313-manylinux_2_28_aarch64``; no other module parses such names.
"""

from __future__ import annotations

import difflib
import functools
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from crosswheel.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same library under its older name
    import tomli as tomllib

Libc = Literal["glibc", "musl"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean X?)`` with the most similar known word, or an empty text."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


@functools.cache
def load_table(name: str) -> dict[str, Any]:
    """Load a data file of the package, such as ``targets.toml``."""
    return tomllib.loads(resources.files("crosswheel").joinpath("data", name).read_text("utf-8"))


@dataclass(frozen=True)
class Architecture:
    """A processor architecture by its name in wheel tags, with the names that other tools use."""

    name: str
    bits: int
    byteorder: Literal["little", "big"]
    machine: str
    multiarch: str
    zig: str
    oci: str
    oldest_glibc: int
    oldest_zig_glibc: int

    def __str__(self) -> str:
        return self.name


@functools.cache
def architectures() -> dict[str, Architecture]:
    """Every architecture by name, in the order of the table."""
    return {
        name: Architecture(
            name=name,
            bits=row["bits"],
            byteorder=row["byteorder"],
            machine=row["machine"],
            multiarch=row["multiarch"],
            zig=row["zig"],
            oci=row["oci"],
            oldest_glibc=row["glibc"],
            oldest_zig_glibc=row.get("zig-glibc", row["glibc"]),
        )
        for name, row in load_table("targets.toml")["arch"].items()
    }


def parse_architecture(text: str) -> Architecture:
    known = architectures()
    if text not in known:
        raise UsageError(
            f"unknown architecture {text!r}{did_you_mean(text, known)}; known: {', '.join(known)}",
        )
    return known[text]


@dataclass(frozen=True, order=True)
class Policy:
    """The oldest C library that a wheel supports: manylinux (PEP 600) or musllinux (PEP 656), both ``<libc>_X_Y``."""

    libc: Libc
    major: int
    minor: int

    def __str__(self) -> str:
        for name, minor in load_table("targets.toml")["glibc"]["legacy"].items():
            if (self.libc, self.major, self.minor) == ("glibc", 2, minor):
                return str(name)
        return self.perennial

    @property
    def perennial(self) -> str:
        """The name with the version: ``manylinux_2_17`` for ``manylinux2014``, which `str` returns."""
        prefix = "manylinux" if self.libc == "glibc" else "musllinux"
        return f"{prefix}_{self.major}_{self.minor}"

    @property
    def provable(self) -> Policy:
        """The newest policy known to auditwheel that is not newer than this one.

        PEP 600 allows any ``manylinux_2_Y``; a wheel that complies with an older policy complies with newer ones.
        """
        minors = [m for m in load_table("targets.toml")[self.libc]["minors"] if m <= self.minor]
        return Policy(self.libc, self.major, max(minors)) if minors else self


_POLICY = re.compile(r"(manylinux|musllinux)_(\d+)_(\d+)")


def parse_policy(text: str) -> Policy:
    """Parse ``manylinux2014``, ``manylinux_X_Y`` or ``musllinux_X_Y``. Raises UsageError, also for future policies."""
    table = load_table("targets.toml")
    if text in table["glibc"]["legacy"]:
        return Policy("glibc", 2, table["glibc"]["legacy"][text])
    known = [*table["glibc"]["legacy"], *(f"manylinux_2_{m}" for m in table["glibc"]["minors"])]
    known += [f"musllinux_1_{m}" for m in table["musl"]["minors"]]
    match = _POLICY.fullmatch(text)
    if match:
        libc: Libc = "glibc" if match[1] == "manylinux" else "musl"
        policy = Policy(libc, int(match[2]), int(match[3]))
        minors = table[libc]["minors"]
        if policy.major == (2 if libc == "glibc" else 1) and min(minors) <= policy.minor <= max(minors):
            return policy
    raise UsageError(f"unknown policy {text!r}{did_you_mean(text, known)}; known: {', '.join(known)}")


def oldest_policy(arch: Architecture) -> Policy:
    """The oldest policy of an architecture, but manylinux2014 if it has that."""
    return Policy("glibc", 2, max(17, arch.oldest_glibc))


@dataclass(frozen=True, order=True)
class PythonTag:
    """A CPython in wheel tags (PEP 425): ``cp313``, or ``cp313t`` for the free-threaded build (PEP 703)."""

    minor: int
    free_threaded: bool = False

    def __str__(self) -> str:
        return f"cp3{self.minor}{'t' if self.free_threaded else ''}"

    @property
    def version(self) -> str:
        """``3.13``: the version to compare with requires-python."""
        return f"3.{self.minor}"

    @property
    def name(self) -> str:
        """``python3.13t``: the name of its program and of its folders for headers and library."""
        return f"python{self.version}{'t' if self.free_threaded else ''}"

    @property
    def abi(self) -> str:
        return str(self)

    @property
    def interpreter(self) -> str:
        """The Python tag of its wheels, without ``t``."""
        return f"cp3{self.minor}"


@functools.cache
def python_tags() -> tuple[PythonTag, ...]:
    """Every known CPython, oldest first, free-threaded builds after the ordinary ones."""
    table = load_table("targets.toml")["python"]
    ordinary = tuple(PythonTag(minor) for minor in table["minors"])
    return ordinary + tuple(PythonTag(minor, free_threaded=True) for minor in table["free-threaded"])


@functools.cache
def usual_pythons() -> tuple[PythonTag, ...]:
    """The CPythons that pypa's images usually have, until an image can be read."""
    return tuple(parse_python(text) for text in load_table("targets.toml")["python"]["usual"])


def parse_python(text: str) -> PythonTag:
    known = {str(tag): tag for tag in python_tags()}
    spelled = re.sub(r"^(?:cp|python|py)?3\.?(\d+)(t?)$", r"cp3\1\2", text)
    if spelled not in known:
        raise UsageError(f"unknown Python tag {text!r}{did_you_mean(spelled, known)}; known: {', '.join(known)}")
    return known[spelled]


@dataclass(frozen=True)
class Target:
    """One wheel to make: a CPython on an architecture with a platform policy."""

    python: PythonTag
    arch: Architecture
    policy: Policy

    def __str__(self) -> str:
        return f"{self.python}-{self.policy}_{self.arch}"

    @property
    def platform(self) -> str:
        """The platform tag of its wheel by the perennial name: ``manylinux_2_17_aarch64``."""
        return f"{self.policy.perennial}_{self.arch}"

    @property
    def identifier(self) -> str:
        """The build identifier that cibuildwheel has for it: ``cp313-manylinux_aarch64``, without the policy."""
        return f"{self.python}-{'manylinux' if self.policy.libc == 'glibc' else 'musllinux'}_{self.arch}"

    @property
    def accepted_platforms(self) -> tuple[str, ...]:
        """The platform tags that pip accepts on a machine exactly as old as the policy, the best first.

        `packaging.tags` computes the same on such a machine, but only for the machine that it runs on.
        """
        oldest = min(self.arch.oldest_glibc, _OLDEST_GLIBC) if self.policy.libc == "glibc" else 0
        policies = [Policy(self.policy.libc, self.policy.major, n) for n in range(self.policy.minor, oldest - 1, -1)]
        names = [name for policy in policies for name in dict.fromkeys((policy.perennial, str(policy)))]
        return tuple(f"{name}_{self.arch}" for name in ("linux", *names))

    @property
    def multiarch(self) -> str:
        """The triple in CPython's EXT_SUFFIX (PEP 3149): ``aarch64-linux-gnu``, with musl ``aarch64-linux-musl``.

        CPython distinguishes musl since 3.11 (bpo-43112): extensions for 3.10 have -gnu names on musl too.
        """
        libc: Libc = self.policy.libc if self.python.minor >= _FIRST_WITH_MUSL_TRIPLET else "glibc"
        return _with_libc(self.arch.multiarch, libc)

    @property
    def ext_suffix(self) -> str:
        """The file name suffix of extension modules: EXT_SUFFIX in the sysconfig of the target's CPython."""
        return f".{self.soabi}.so"

    @property
    def soabi(self) -> str:
        flag = "t" if self.python.free_threaded else ""
        return f"cpython-3{self.python.minor}{flag}-{self.multiarch}"


_FIRST_WITH_MUSL_TRIPLET = 11
_OLDEST_GLIBC = 17  # also for an architecture unknown to PEP 600


def _with_libc(triple: str, libc: Libc) -> str:
    """The triple for a C library: only its last part differs: gnu, gnueabihf, musl, musleabihf."""
    return triple if libc == "glibc" else triple.replace("-gnu", "-musl")


def parse_platform(text: str) -> tuple[Policy, Architecture]:
    """Parse the platform tag of a Linux wheel: ``manylinux_2_17_aarch64``, ``manylinux2014_aarch64``."""
    policy, arch = _split_platform(text)
    if arch is None:
        raise UsageError(f"unknown platform {text!r}: write it as manylinux_2_28_aarch64")
    return parse_policy(policy), arch


def architecture_of(platform: str) -> Architecture | None:
    """The architecture of any Linux platform tag, including ``linux_armv7l`` and unknown policies."""
    return _split_platform(platform)[1] if re.match("linux|manylinux|musllinux", platform) else None


def _split_platform(text: str) -> tuple[str, Architecture | None]:
    for arch in architectures().values():
        if text.endswith(f"_{arch}"):
            return text.removesuffix(f"_{arch}"), arch
    return text, None


def parse_target(text: str) -> Target:
    """The inverse of `str(target)`."""
    python, _, platform = text.partition("-")
    policy, arch = _split_platform(platform)
    if arch is None:
        raise UsageError(f"unknown target {text!r}: write it as cp313-manylinux_2_28_aarch64")
    return Target(parse_python(python), arch, parse_policy(policy))
