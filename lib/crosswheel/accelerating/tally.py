"""The account of an accelerated command: its containers, the work of the compilers, and the seconds of each verb."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from crosswheel.accelerating.accelerator import Started
from crosswheel.accelerating.desk import Ran
from crosswheel.toolchains.ccache import HITS, MISSES


@dataclass(frozen=True)
class Compiled:
    """Calls of compilers: compiled by clang natively, answered by the image's gcc, found in ccache or not."""

    clang: int = 0
    gcc: int = 0
    hits: int = 0
    misses: int = 0

    @classmethod
    def of(cls, compiles: Iterable[str], commands: Iterable[str]) -> Compiled:
        """Count the lines of ccache's log and of the driver's."""
        counters, started = Counter(compiles), Counter(line.partition(" ")[0] for line in commands)
        hits, misses = (sum(counters[name] for name in names) for names in (HITS, MISSES))
        return cls(started["clang"], started["gcc"], hits, misses)

    def __add__(self, other: Compiled) -> Compiled:
        return Compiled(
            self.clang + other.clang, self.gcc + other.gcc, self.hits + other.hits, self.misses + other.misses
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
    if not (compiled.clang or compiled.hits):
        yield (
            "no call reached the native compiler: nothing was compiled, or the project names its compiler by a path "
            "such as /usr/bin/gcc"
        )
        return
    yield (
        f"compilers: {_times(compiled.clang, 'call')} of native clang, {compiled.hits} answered by ccache "
        f"({compiled.misses} new), {compiled.gcc} by the image's own gcc under QEMU"
    )


def _times(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
