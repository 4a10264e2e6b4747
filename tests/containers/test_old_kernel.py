"""Namespaces of a kernel before 6.7, which have no binfmt_misc of their own: the machine's entries hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from containers.binfmt import BinfmtUnavailable, Handler, unregistered
from crosswheel.containers.emulation import Running
from crosswheel.containers.namespace_host import NamespaceHost
from crosswheel.errors import CannotRun
from crosswheel.model.job import deaf
from crosswheel.model.targets import parse_architecture
from crosswheel.system import namespace_support
from crosswheel.system.local_host import local_host
from crosswheel.system.memo import answers_in
from crosswheel.system.namespace_support import Kernel
from crosswheel.system.namespaces import Mount
from crosswheel.system.process import Processes

pytestmark = [pytest.mark.containers, pytest.mark.binfmt]

AARCH64 = parse_architecture("aarch64")


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NamespaceHost:
    refused = namespace_support._refused

    def as_refused_before(processes: Processes, own: Path, *mounts: Mount) -> str:
        if any(mount.kind == "binfmt_misc" for mount in mounts):
            return "mounting binfmt_misc on /proc: Operation not permitted"
        return refused(processes, own, *mounts)

    monkeypatch.setattr(namespace_support, "_refused", as_refused_before)
    monkeypatch.setattr(namespace_support, "this_kernel", lambda: Kernel("6.1.0-debian"))
    host = replace(local_host(offline=False, listener=deaf), cache=tmp_path)
    if refusal := host.allowed.namespaces or host.allowed.overlay:
        pytest.skip(str(refusal))
    assert host.allowed.binfmt
    return NamespaceHost(host)


def test_what_the_machine_has_registered_runs(old: NamespaceHost, qemu: Handler, tmp_path: Path) -> None:
    answer = old.survey([AARCH64], answers_in(tmp_path))[AARCH64]
    assert isinstance(answer, Running), answer
    assert not answer.natively


@pytest.fixture
def without_entry() -> Iterator[None]:
    try:
        with unregistered():
            yield
    except BinfmtUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("without_entry")
def test_without_an_entry_the_reason_is_the_kernel(old: NamespaceHost, tmp_path: Path) -> None:
    answer = old.survey([AARCH64], answers_in(tmp_path))[AARCH64]
    assert isinstance(answer, CannotRun)
    assert "Linux 6.1.0-debian has no binfmt_misc of its own for a namespace" in answer.hint
    assert "crosswheel register, which changes this machine; or Linux 6.7 or newer" in answer.hint
    x86 = parse_architecture("x86_64")
    native = old.survey([x86], answers_in(tmp_path))[x86]
    assert isinstance(native, Running) == (old.arch == x86)
