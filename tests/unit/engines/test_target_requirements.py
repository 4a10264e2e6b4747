"""The target's build requirements are fetched once and laid over this machine's, where compilers and linkers look."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.engines.target_requirements import TargetRequirements
from crosswheel.formats.packages import Package
from crosswheel.model.targets import parse_target
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings
from crosswheel.testing import tiny_elf, tiny_wheel
from index_server import IndexServer, index_server

PACKAGES = "lib/python3.11/site-packages"
HERE, THERE = "cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_17_aarch64"
LIBRARY = tiny_elf(machine="EM_AARCH64", soname="libx.so.1")


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with index_server() as running:
        running.files["tiny"] = {}
        yield running


class Job:
    """A build environment with a requirement that has an archive, and what is laid over it."""

    def __init__(self, folder: Path, *addresses: str, target: str = "cp311-manylinux2014_aarch64") -> None:
        self.folder = folder
        self.environment = folder / "environment"
        self.log = folder / "log"
        index = Index(PipSettings(addresses[0], addresses[1:]), folder.parent / "cache", offline=not addresses[0])
        self.requirements = TargetRequirements(
            self.environment, self.environment / PACKAGES, folder / "over", parse_target(target), index
        )

    def install(self, **members: bytes) -> None:
        named = {"x/libx.a": b"here", "x/x.h": b"here", **{f"x/{name}": data for name, data in members.items()}}
        self.folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(tiny_wheel(self.folder, tag=HERE, members=named)) as archive:
            archive.extractall(self.environment / PACKAGES)

    def lay_over(self) -> Mapping[str, str]:
        """What is lacking, and why."""
        self.requirements.lay_over(self.log)
        return {f"{one.name} {one.version}": one.lacking for one in self.requirements.done.values() if one.lacking}

    @property
    def texts(self) -> list[str]:
        return [(self.environment / PACKAGES / "x" / name).read_text() for name in ("libx.a", "x.h")]


def serve(server: IndexServer, folder: Path, tag: str = THERE, members: Mapping[str, bytes] | None = None) -> str:
    named = {"x/libx.a": b"there", "x/x.h": b"there", **(members or {})}
    wheel = tiny_wheel(folder, tag=tag, members=named)
    server.files["tiny"][wheel.name] = wheel.read_bytes()
    return wheel.name


def test_it_is_fetched_once_and_then_known(server: IndexServer, tmp_path: Path) -> None:
    name = serve(server, tmp_path)
    first = Job(tmp_path / "first", server.url)
    first.install()
    assert first.lay_over() == {}
    assert first.texts == ["there", "there"]
    assert first.log.read_text() == f"laid over for aarch64: libx.a, x.h of {name}\n"
    (done,) = first.requirements.done.values()
    assert (done.wheel, done.sha256) == (name, hashlib.sha256(server.files["tiny"][name]).hexdigest())
    assert server.asked == ["/simple/tiny/", f"/files/tiny/{name}"]
    assert first.lay_over() == {}  # after the second installation of a build
    second = Job(tmp_path / "second", "")
    second.install()
    assert (second.lay_over(), second.texts) == ({}, ["there", "there"])
    assert len(server.asked) == 2


def test_uvs_cache_which_the_environment_shares_files_with_stays_the_same(server: IndexServer, tmp_path: Path) -> None:
    serve(server, tmp_path)
    job = Job(tmp_path / "job", server.url)
    job.install()
    os.link(job.environment / PACKAGES / "x" / "libx.a", tmp_path / "cached.a")
    job.lay_over()
    assert (tmp_path / "cached.a").read_text() == "here"


def test_nothing_is_asked_without_a_library_for_linkers(server: IndexServer, tmp_path: Path) -> None:
    job = Job(tmp_path / "job", server.url)
    with_headers = tiny_wheel(tmp_path, tag=HERE, members={"x/x.h": b"here", "x/fast.so": b"here"})
    with zipfile.ZipFile(with_headers) as archive:
        archive.extractall(job.environment / PACKAGES)
    assert (job.lay_over(), server.asked) == ({}, [])


def test_nothing_is_asked_for_this_machines_own_platform(server: IndexServer, tmp_path: Path) -> None:
    job = Job(tmp_path / "job", server.url, target="cp311-manylinux2014_x86_64")
    job.install()
    assert (job.lay_over(), server.asked) == ({}, [])


def test_shared_libraries_lie_apart_under_every_name_that_a_linker_asks_for(
    server: IndexServer, tmp_path: Path
) -> None:
    serve(server, tmp_path, members={"x/libx.so.1": LIBRARY})
    job = Job(tmp_path / "job", server.url)
    job.install(**{"libx.so.1": b"here"})
    job.lay_over()
    assert (job.environment / PACKAGES / "x" / "libx.so.1").read_text() == "here"
    over = tmp_path / "job" / "over" / PACKAGES / "x"
    assert {path.name: path.read_bytes() for path in over.iterdir()} == {"libx.so.1": LIBRARY, "libx.so": LIBRARY}
    assert job.requirements.library("libx.so.1") == (over / "libx.so.1", Package("pypi", "", "tiny", "1.0"))
    assert job.requirements.library("libother.so") is None


def test_the_wheel_for_the_oldest_c_library_is_taken_even_if_it_is_newer_than_the_targets(
    server: IndexServer, tmp_path: Path
) -> None:
    for tag in ("cp311-cp311-manylinux_2_34_aarch64", "cp311-cp311-manylinux_2_28_aarch64"):
        serve(server, tmp_path, tag)
    for other in ("cp312-cp312-manylinux_2_17_aarch64", "cp311-cp311-musllinux_1_2_aarch64", HERE, "py3-none-any"):
        serve(server, tmp_path, other)
    job = Job(tmp_path / "job", server.url)
    job.install()
    assert job.lay_over() == {}
    assert server.asked[1:] == ["/files/tiny/tiny-1.0-cp311-cp311-manylinux_2_28_aarch64.whl"]


def test_a_further_index_may_have_it(server: IndexServer, tmp_path: Path) -> None:
    serve(server, tmp_path)
    with index_server() as first:
        job = Job(tmp_path / "job", first.url, server.url)
        job.install()
        assert (job.lay_over(), job.texts) == ({}, ["there", "there"])


def test_without_a_wheel_for_the_target_it_stays_this_machines_and_that_is_told(
    server: IndexServer, tmp_path: Path
) -> None:
    serve(server, tmp_path, "cp311-cp311-manylinux_2_17_s390x")
    job = Job(tmp_path / "job", server.url)
    job.install()
    assert job.lay_over() == {"tiny 1.0": "the index has no wheel for aarch64 (glibc)"}
    assert job.texts == ["here", "here"]


def test_offline_too(tmp_path: Path) -> None:
    job = Job(tmp_path / "job", "")
    job.install()
    (reason,) = job.lay_over().values()
    assert "--offline" in reason
    assert [one.passing for one in job.requirements.done.values()] == [True]


def test_hooks_cannot_lead_it_out_of_the_environment(server: IndexServer, tmp_path: Path) -> None:
    serve(server, tmp_path)
    job = Job(tmp_path / "job", server.url)
    job.install()
    (job.environment / PACKAGES / "x").rename(tmp_path / "outside")
    (job.environment / PACKAGES / "x").symlink_to(tmp_path / "outside")
    (reason,) = job.lay_over().values()
    assert "leads out" in reason
    assert (tmp_path / "outside" / "libx.a").read_text() == "here"


def test_a_wheel_in_find_links_is_taken_first(server: IndexServer, tmp_path: Path) -> None:
    """As in a wheelhouse that grows: the target's wheel was built minutes ago, and no index has it."""
    near = tmp_path / "near"
    near.mkdir()
    wheel = tiny_wheel(near, tag=THERE, members={"x/libx.a": b"near", "x/x.h": b"near"})
    job = Job(tmp_path / "job", server.url)
    job.requirements = replace(
        job.requirements,
        index=replace(job.requirements.index, settings=PipSettings(server.url, find_links=(str(near),))),
    )
    job.install()
    assert job.lay_over() == {}
    assert job.texts == ["near", "near"]
    (done,) = job.requirements.done.values()
    assert done.sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert server.asked == []
    assert {name: str(version) for name, version in job.requirements.near_versions().items()} == {"tiny": "1.0"}
