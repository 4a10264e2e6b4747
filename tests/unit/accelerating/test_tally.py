"""What the end of an accelerated command says."""

from __future__ import annotations

from crosswheel.accelerating.accelerator import Started
from crosswheel.accelerating.desk import Ran
from crosswheel.accelerating.tally import Compiled, Tally, tally_lines

COMPILES = ["# /project/a.c", "direct_cache_hit", "local_storage_hit", "preprocessed_cache_hit", "cache_miss"]
COMMANDS = ["clang 0.10", "gcc 1.50", "clang 0.20", "anything else", "gcc nan"]


def test_commands_are_counted_and_unknown_lines_left_out() -> None:
    found = Compiled.of(COMPILES, COMMANDS)
    assert found == Compiled(clang=2, gcc=1, gcc_seconds=1.5, hits=2, misses=1)
    assert found + Compiled(clang=1) == Compiled(clang=3, gcc=1, gcc_seconds=1.5, hits=2, misses=1)
    assert Compiled.of([], []) == Compiled()


def test_the_end_says_what_was_accelerated_what_was_not_and_why() -> None:
    started = (
        Started("create", "arm", "aarch64", compilers=True),
        Started("run", "arm", "aarch64", compilers=True),
        Started("run", "slim", "aarch64"),
        Started("run", "busybox", reason="x86_64 runs natively"),
    )
    ran = (Ran("docker", "start", 2.0), Ran("docker", "", 0.25), Ran("docker", "start", 1.0))
    compilers = (
        "compilers: 2 commands by native clang, 1 by the image's own gcc under QEMU in 1.5 s; "
        "ccache answered 4, and keeps 3 new"
    )
    assert list(tally_lines(Tally(started, ran, Compiled(2, 1, 1.5, 4, 3)))) == [
        "accelerated: 2 containers of arm (aarch64)",
        "accelerated: 1 container of slim (aarch64); the image has no gcc, so compilers stay as they are",
        "not accelerated: 1 container of busybox: x86_64 runs natively",
        compilers,
        "seconds: docker start 3.0, docker 0.2",
    ]


def test_compilers_that_were_never_called_are_told() -> None:
    (_, line) = tally_lines(Tally((Started("run", "arm", "aarch64", compilers=True),), (), Compiled()))
    assert "no command reached the native compiler" in line
