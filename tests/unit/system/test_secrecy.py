"""What builds, which run as the same user, find out about the process that starts them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# What it prints last is what its child finds in its environment, and in its memory.
LOOKED_AT = """
import ctypes, os, subprocess, sys
from crosswheel.system.secrecy import conceal
user = int(sys.argv[1])
os.environ["LATER"] = "set here"
if user:
    os.setgroups([]); os.setgid(user); os.setuid(user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as if it had always been that user's
conceal()
print(os.environ["TWINE_PASSWORD"], os.environ["LATER"])
printed = subprocess.run(["sh", "-c", 'echo "$TWINE_PASSWORD"'], stdout=subprocess.PIPE).stdout.decode()
print(printed.strip(), flush=True)
for name in ("environ", "mem"):
    looking = subprocess.run(
        ["sh", "-c", f"head -c 9 /proc/{os.getpid()}/{name} | wc -c; tr -d '\\\\0' < /proc/{os.getpid()}/environ"],
        env={"PATH": os.environ["PATH"]}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    print(looking.stdout.decode("utf-8", "replace"), flush=True)
"""


def looked_at(user: int = 0) -> tuple[str, str]:
    environ = {**os.environ, "TWINE_PASSWORD": "pypi-token", "CROSSWHEEL_COMMAND": "outer-1"}
    command = [sys.executable, "-c", LOOKED_AT, str(user)]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True)
    own, inherited, *seen = done.stdout.decode("utf-8", "replace").splitlines()
    assert (own, inherited) == ("pypi-token set here", "pypi-token")
    return own, "\n".join(seen)


def test_the_environment_that_a_run_began_with_is_no_more_and_its_variables_hold() -> None:
    _, seen = looked_at()
    assert "pypi-token" not in seen


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_build_of_the_same_user_may_not_look_at_all() -> None:
    _, seen = looked_at(user=65534)
    assert seen.count("Permission denied") >= 2
    assert "pypi-token" not in seen


@pytest.mark.skipif(os.getuid() != 0, reason="who may not look does not find the mark either")
def test_the_mark_by_which_whoever_started_a_run_ends_it_stays() -> None:
    _, seen = looked_at()
    assert "CROSSWHEEL_COMMAND=outer-1" in seen
