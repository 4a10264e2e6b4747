"""What engines say when they start no container, as podman 4.3 said it, or as its users have reported it."""

from __future__ import annotations

import pytest

from crosswheel.containers.docker_host import engine_errors
from crosswheel.containers.faults import find_fault, known_faults
from crosswheel.errors import ContainerLost, EngineUnavailable

SAID = {
    "crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied": "default_ulimits",
    "crun: setrlimit `RLIMIT_NPROC`: Operation not permitted: OCI permission denied": "default_ulimits",
    "runc: runc create failed: unable to start container process: error during container init: error setting rlimits "
    "for ready process: error setting rlimit type 7: operation not permitted: OCI permission denied": "default_ulimits",
    "OCI runtime error: crun: cgroups in hybrid mode not supported, drop all controllers from cgroupv2": "install runc",
    "creating cgroup directory `/sys/fs/cgroup/cpuset/libpod-1.scope`: No such file or directory": '"cgroupfs"',
    "cannot open sd-bus: No such file or directory: OCI not found": '"cgroupfs"',
    "OCI runtime error: crun: the requested cgroup controller `pids` is not available": "Delegate=yes",
    "container-init binary not found on the host: stat /usr/libexec/podman/catatonit: no such file": "catatonit",
    'lookup init binary: exec: "catatonit": executable file not found in $PATH': "catatonit",
}


@pytest.mark.parametrize(("said", "remedy"), SAID.items())
def test_a_known_fault_is_an_engine_that_cannot_be_used(said: str, remedy: str) -> None:
    from docker.errors import APIError

    with pytest.raises(EngineUnavailable) as caught, engine_errors("starting a container of x", ContainerLost):
        raise APIError("500 Server Error", explanation=said)
    assert caught.value.message.startswith("starting a container of x: ")
    assert said in caught.value.message
    assert remedy in caught.value.hint


def test_each_row_is_shown_by_something_that_was_said() -> None:
    assert {find_fault(said) for said in SAID} == set(known_faults())


@pytest.mark.parametrize(
    "said", ["exec /exit-42: exec format error", "no such image", "Operation not permitted", "OCI permission denied"]
)
def test_anything_else_is_none(said: str) -> None:
    assert find_fault(said) is None
