"""4xx: undefined symbols: whether each one exists where the binary will be loaded, without running it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from crosswheel.auditing.rules.carriers import brought_symbols
from crosswheel.auditing.rules.linkage import SANITIZERS
from crosswheel.auditing.rules.machine import judged
from crosswheel.auditing.rules.promise import Promise, is_of_libc, promises
from crosswheel.auditing.rules.rule import Rule
from crosswheel.errors import UsageError
from crosswheel.formats.elf import Elf, Undefined
from crosswheel.formats.symbols import is_listed, known_pythons, libc_has, library_has, python_has
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Policy, PythonTag, Target, parse_python

_MOST_NAMES = 10
_OF_ONE_PYTHON = re.compile(r"\.cpython-(3\d+t?)-[\w-]+\.so$")
_PYTHONS_OWN = re.compile(r"_?Py|PY_|GraalPy")


class UnresolvedSymbol(Rule):
    """A binary needs a symbol that the C library in the tag, its Python and the wheel's libraries all lack."""

    code = "W405"
    why = "The import fails: undefined symbol. The linker of an extension does not check this."
    fix = "link the library or compile the source file that defines it; this Python may have removed a private function"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        scopes = [_Scope(wheel, policy) for policy in _oldest(wheel)]
        for member, elf in judged(wheel):
            if missing := {name for scope in scopes for name in scope.missing(member, elf)}:
                yield self.finding(member=member, found=_some(sorted(missing)), expected=_providers(wheel))


@dataclass(frozen=True)
class _Scope:
    """The scope in which the dynamic loader searches for a symbol, on a system with this C library.

    The scope is the program with its libraries, then the binary's dependencies, breadth first. A wheel may also load
    one of its libraries globally (RTLD_GLOBAL), which cannot be seen statically: so all of its binaries count.
    """

    wheel: Wheel
    libc: Policy

    def missing(self, member: str, elf: Elf) -> list[str]:
        wanted = [symbol.name for symbol in elf.undefined if self._is_open(symbol) and symbol.name not in self._carried]
        outside = [name for name in self._outside(elf) if not is_of_libc(name, self.libc.libc)] if wanted else []
        # Another rule reports a missing library; its symbols are unknown.
        if not all(is_listed(library) for library in outside):
            return []
        pythons = _pythons(self.wheel, member)
        forbidden = {name for promise in promises(self.wheel) for name in _forbidden(promise, elf)}
        return [
            name
            for name in wanted
            if name not in forbidden
            and (elf.is_program or not _python_may_have(name, pythons))  # first, because most symbols are found there
            and not libc_has(name, self.libc)
            and not any(library_has(library, name) for library in outside)
            and not any(fnmatchcase(name, pattern) for pattern in self._brought)
        ]

    def _is_open(self, symbol: Undefined) -> bool:
        """Whether the symbol is unresolved; versions of external libraries and sanitizers are left to other rules.

        musl has no symbol versions: it searches for the name only.
        """
        bound_outside = self.libc.libc == "glibc" and symbol.version and symbol.library not in self.wheel.named_elves
        return not (symbol.weak or bound_outside or symbol.name.startswith(SANITIZERS))

    def _outside(self, elf: Elf) -> frozenset[str]:
        """The system libraries that are loaded with the binary."""
        seen: set[str] = set()
        waiting = set(elf.needed)
        while waiting:
            seen |= waiting
            waiting = {name for library in waiting for name in self._needed.get(library, ())} - seen
        return frozenset(seen - self._needed.keys())

    @cached_property
    def _brought(self) -> tuple[str, ...]:
        return brought_symbols(self.wheel)

    @cached_property
    def _carried(self) -> frozenset[str]:
        return frozenset(name for elf in self.wheel.elves.values() if isinstance(elf, Elf) for name in elf.defined)

    @cached_property
    def _needed(self) -> Mapping[str, tuple[str, ...]]:
        return {name: elf.needed for name, elf in self.wheel.named_elves.items()}


def _oldest(wheel: Wheel) -> list[Policy]:
    """The oldest version of each C library in the tags; `platforms` is sorted."""
    found: dict[str, Policy] = {}
    for policy, _ in wheel.platforms:
        found[policy.libc] = min(policy, found.get(policy.libc, policy))
    return list(found.values())


def _pythons(wheel: Wheel, member: str) -> frozenset[PythonTag]:
    """The CPythons that may load the member; one of them must have its symbols.

    Another rule checks extensions for the stable ABI.
    """
    if wheel.is_abi3 and any(extension.member == member for extension in wheel.extensions):
        return known_pythons()
    if match := _OF_ONE_PYTHON.search(member):
        return _parsed(match[1])
    if wheel.is_abi3:
        return frozenset(_oldest_of_stable_abi(wheel))
    if wheel.pythons:
        return wheel.pythons
    for_all = any(re.fullmatch(r"(?:py|cp)[23]\d*", tag.interpreter) and tag.abi == "none" for tag in wheel.tags)
    return known_pythons() if for_all else frozenset()


def _parsed(text: str) -> frozenset[PythonTag]:
    try:
        return frozenset({parse_python(text)})
    except UsageError:
        return frozenset()


def _oldest_of_stable_abi(wheel: Wheel) -> Iterator[PythonTag]:
    """The oldest CPython in the tags; later ones keep everything in the stable ABI."""
    minors = [int(match[1]) for tag in wheel.tags if (match := re.fullmatch(r"cp3(\d+)", tag.interpreter))]
    for abi, free_threaded in (("abi3", False), ("abi3t", True)):
        known = [python.minor for python in known_pythons() if python.free_threaded == free_threaded]
        if abi in wheel.abis and minors:
            yield PythonTag(max(min(minors), min(known, default=0)), free_threaded)


def _python_may_have(name: str, pythons: frozenset[PythonTag]) -> bool:
    if not pythons <= known_pythons() or not pythons:  # PyPy, or a CPython too new or too old for our tables
        return bool(_PYTHONS_OWN.match(name))
    return any(python_has(name, python) for python in pythons)


def _forbidden(promise: Promise, elf: Elf) -> Iterator[str]:
    """The symbols that the policy forbids; another rule reports them."""
    for library in elf.needed:
        yield from promise.forbidden.get(library, ())


def _providers(wheel: Wheel) -> str:
    return f"the C library, the Python of {wheel.tag}, or a library in the wheel"


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
