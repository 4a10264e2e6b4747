"""The account of an accelerated command: its containers, the work of the compilers, and the seconds of each verb."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from crosswheel.accelerating.accelerator import Started
from crosswheel.accelerating.desk import Ran
from crosswheel.toolchains.ccache import HITS, MISSES

_NOTE = re.compile(r"(clang|gcc) (\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Compiled:
    """Commands of compilers: served by clang natively, or by the image's own gcc, which took `gcc_seconds`.

    `hits` of them ccache answered, `misses` are new in it.
    """

    clang: int = 0
    gcc: int = 0
    gcc_seconds: float = 0.0
    hits: int = 0
    misses: int = 0

    @classmethod
    def of(cls, compiles: Iterable[str], commands: Iterable[str]) -> Compiled:
        """Count the lines of ccache's log and of the driver's, ``clang SECONDS`` or ``gcc SECONDS``.

        Lines of another form, which a build may have written, are left out.
        """
        counters = Counter(compiles)
        hits, misses = (sum(counters[name] for name in names) for names in (HITS, MISSES))
        noted = [match.groups() for line in commands if (match := _NOTE.fullmatch(line))]
        by_gcc = [float(seconds) for name, seconds in noted if name == "gcc"]
        return cls(len(noted) - len(by_gcc), len(by_gcc), sum(by_gcc), hits, misses)

    def __add__(self, other: Compiled) -> Compiled:
        return Compiled(
            self.clang + other.clang,
            self.gcc + other.gcc,
            self.gcc_seconds + other.gcc_seconds,
            self.hits + other.hits,
            self.misses + other.misses,
        )


@dataclass(frozen=True)
class Tally:
    """All of one command."""

    started: tuple[Started, ...]
    ran: tuple[Ran, ...]
    compiled: Compiled

    @property
    def accelerated(self) -> tuple[Started, ...]:
        return tuple(each for each in self.started if not each.reason)

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds of all commands with the same verb, such as ``docker start``; they may overlap."""
        total: dict[str, float] = {}
        for each in self.ran:
            name = f"{each.program} {each.verb}".strip()
            total[name] = total.get(name, 0.0) + each.seconds
        return total


def started_lines(tally: Tally) -> Iterator[str]:
    """A line for each kind of container: accelerated or not, and why."""
    done = tally.accelerated
    if not tally.started:
        yield "nothing was accelerated: the command started no container with docker or podman from its PATH"
    for (image, arch, compilers), count in Counter((one.image, one.arch, one.compilers) for one in done).items():
        with_what = "" if compilers else "; the image has no gcc, so compilers stay as they are"
        yield f"accelerated: {_times(count, 'container')} of {image} ({arch}){with_what}"
    for (image, reason), count in Counter((one.image, one.reason) for one in tally.started if one.reason).items():
        yield f"not accelerated: {_times(count, 'container')} of {image}: {reason}"


def tally_lines(tally: Tally) -> Iterator[str]:
    """The same, then the calls of compilers, and the seconds of each verb."""
    yield from started_lines(tally)
    if any(one.compilers for one in tally.accelerated):
        yield from _compiler_lines(tally.compiled)
    if seconds := sorted(tally.seconds.items(), key=lambda item: -item[1]):
        yield "seconds: " + ", ".join(f"{verb} {time:.1f}" for verb, time in seconds)


def _compiler_lines(compiled: Compiled) -> Iterator[str]:
    if not (compiled.clang or compiled.gcc or compiled.hits):
        yield (
            "no command reached the native compiler: nothing was compiled, or the project names its compiler by a path "
            "such as /usr/bin/gcc"
        )
        return
    yield (
        f"compilers: {_times(compiled.clang, 'command')} by native clang, {compiled.gcc} by the image's own gcc under "
        f"QEMU in {compiled.gcc_seconds:.1f} s; ccache answered {compiled.hits}, and keeps {compiled.misses} new"
    )


def _times(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
