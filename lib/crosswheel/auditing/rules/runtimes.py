"""Whether the binaries of a wheel that call each other share one C++ library."""

from __future__ import annotations

from collections.abc import Iterator

from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.elf import Elf
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

# The inline namespaces of the types in std: they are part of the mangled names.
_OF_LIBCXX, _OF_LIBSTDCXX = "St3__1", "St7__cxx11"
_LIBSTDCXX = "libstdc++.so.6"
_SHOWN = 3


class TwoRuntimes(Rule):
    """A binary that is compiled for libc++ calls C++ functions of a library for libstdc++."""

    code = "W412"
    why = "Types of std, such as std::string, have another layout there: answers are wrong, or the process crashes."
    fix = "build both against one C++ library: --engine accelerated, or cross where an image can be had"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        libraries = wheel.named_elves
        for member, elf in wheel.elves.items():
            if not isinstance(elf, Elf) or not _is_for_libcxx(elf):
                continue
            calls = {symbol.name for symbol in elf.undefined if symbol.name.startswith("_Z")}
            for name in elf.needed:
                library = libraries.get(name)
                if library and _is_for_libstdcxx(library) and (called := sorted(calls & library.defined)):
                    more = f" and {len(called) - _SHOWN} more" if len(called) > _SHOWN else ""
                    found = f"{', '.join(called[:_SHOWN])}{more} of {name}"
                    yield self.finding(member=member, found=found, expected="one C++ library for both")


def _is_for_libcxx(elf: Elf) -> bool:
    """Its own libc++ shows in what it defines, such as instances of templates; it loads no libstdc++."""
    return _LIBSTDCXX not in elf.needed and any(_OF_LIBCXX in name for name in elf.defined)


def _is_for_libstdcxx(elf: Elf) -> bool:
    return _LIBSTDCXX in elf.needed or any(_OF_LIBSTDCXX in name for name in elf.defined)
