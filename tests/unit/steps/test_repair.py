"""The step `repair`: exactly the tags asked for, libraries of the sysroot and no others, and the same bytes again."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import shutil
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from crosswheel.engines.repair_worker import RepairWorker
from crosswheel.engines.services import Services
from crosswheel.engines.workspace import HostWorkspace
from crosswheel.errors import RepairFailed
from crosswheel.formats.elf import Elf
from crosswheel.formats.packages import Package
from crosswheel.formats.wheels import read_wheel
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Job, Sdist, deaf
from crosswheel.steps import MAKE, Composition, Work
from crosswheel.steps.audit import audit
from crosswheel.steps.journal import journal_of
from crosswheel.steps.repair import repair
from crosswheel.steps.wheelhouse import OutputFolder
from crosswheel.testing import tiny_elf, tiny_wheel
from debug_info import DEBUG_INFO, with_debug_info
from report_samples import make_job
from tiny_projects import tiny_facts, tiny_host

OWNER = Package("rpm", "almalinux", "foo-libs", "1.2-3.el8", "aarch64")
TARGET = "cp313-manylinux2014_aarch64"
EXTENSION = "fast.cpython-313-aarch64-linux-gnu.so"


def extension(**more: Any) -> bytes:
    return tiny_elf(**{"exports": ("PyInit_fast",), "needed": ("libc.so.6",), **more})


@dataclass(frozen=True)
class Bench:
    """A folder in which one wheel after the other is repaired."""

    folder: Path
    repair_worker: RepairWorker = field(default_factory=RepairWorker)
    """One that was not started has each wheel repaired by a process of its own."""

    def work(self, wheel: Path, target: str = TARGET, *, epoch: int = 1_700_000_000, **options: Any) -> Work:
        root = self.folder / f"job{len(list(self.folder.iterdir()))}"
        (root / "made").mkdir(parents=True)
        host = tiny_host(self.folder)
        config = load_config(self.folder, {})
        exclude = options.pop("exclude", ())
        config = replace(
            config, build=replace(config.build, **options), audit=replace(config.audit, exclude=tuple(exclude))
        )
        made = Path(shutil.copy(wheel, root / "made"))
        workspace = HostWorkspace(host, root, Path("python"), root / "log", None)
        job: Job = make_job(target)
        sdist = Sdist(Path("tiny.tar.gz"), "tiny", "1.0", "", epoch=epoch)
        return Work(
            job=job,
            sdist=sdist,
            config=config,
            services=Services(tiny_facts(host), repair_worker=self.repair_worker),
            composition=Composition(MAKE),
            journal=journal_of("tiny", host, deaf),
            output=OutputFolder(self.folder / "wheelhouse"),
            folder=root,
            log=root / "log",
            opened=workspace,
            file=made,
        )

    def repaired(self, wheel: Path, target: str = TARGET, **options: Any) -> Path:
        return repair(self.work(wheel, target, **options)).wheel

    def sysroot(self, files: Mapping[str, bytes | str]) -> dict[str, Any]:
        """The option, for a folder with these files; a text is where a link leads."""
        root = self.folder / "sysroot"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.symlink_to(content)
            else:
                path.write_bytes(content)
        return {"sysroots": {"aarch64": root}}


@pytest.fixture
def bench(tmp_path: Path, repair_worker: RepairWorker) -> Bench:
    return Bench(tmp_path, repair_worker)


def wheel_of(bench: Bench, tag: str = "cp313-cp313-linux_aarch64", **more: Any) -> Path:
    return tiny_wheel(bench.folder, tag=tag, members={EXTENSION: extension(**more)})


def grafted(wheel: Path) -> dict[str, Elf]:
    """The libraries that were put beside the extension, by the beginning of their names."""
    elves = read_wheel(wheel).elves
    return {
        member.partition("/")[2].rpartition("-")[0]: elf
        for member, elf in elves.items()
        if member.startswith("tiny.libs/") and isinstance(elf, Elf)
    }


# ---- exactly the tags that were asked for -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "target", "repaired"),
    [
        ("cp313-cp313-linux_aarch64", TARGET, "cp313-cp313-manylinux2014_aarch64.manylinux_2_17_aarch64"),
        ("cp313-cp313-linux_aarch64", "cp313-manylinux_2_28_aarch64", "cp313-cp313-manylinux_2_28_aarch64"),
        ("cp313-cp313-linux_aarch64", "cp313-manylinux_2_25_aarch64", "cp313-cp313-manylinux_2_25_aarch64"),
        ("cp39-abi3-linux_aarch64", "cp313-manylinux_2_28_aarch64", "cp39-abi3-manylinux_2_28_aarch64"),
        ("py3-none-linux_aarch64", "cp313-manylinux_2_28_aarch64", "py3-none-manylinux_2_28_aarch64"),
        ("py2.py3-none-linux_aarch64", "cp313-manylinux_2_28_aarch64", "py2.py3-none-manylinux_2_28_aarch64"),
        ("cp313-cp313-manylinux_2_17_aarch64", "cp313-manylinux_2_28_aarch64", "cp313-cp313-manylinux_2_28_aarch64"),
        ("cp313-cp313-manylinux_2_39_aarch64", "cp313-manylinux_2_28_aarch64", "cp313-cp313-manylinux_2_28_aarch64"),
        ("cp313-cp313-manylinux_2_28_aarch64", "cp313-manylinux_2_28_aarch64", "cp313-cp313-manylinux_2_28_aarch64"),
        (
            "cp313-cp313-manylinux2014_aarch64.manylinux_2_17_aarch64.manylinux_2_28_aarch64",
            "cp313-manylinux_2_28_aarch64",
            "cp313-cp313-manylinux_2_28_aarch64",
        ),
        ("7-cp313-cp313-linux_aarch64", "cp313-manylinux_2_28_aarch64", "7-cp313-cp313-manylinux_2_28_aarch64"),
    ],
)
def test_a_wheel_gets_the_tags_of_the_policy_and_no_others(bench: Bench, tag: str, target: str, repaired: str) -> None:
    build, _, rest = tag.partition("-") if tag[0].isdigit() else ("", "", tag)
    wheel = wheel_of(bench, rest)
    if build:
        wheel = wheel.rename(wheel.with_name(f"tiny-1.0-{tag}.whl"))
    made = read_wheel(bench.repaired(wheel, target))
    assert made.path.name == f"tiny-1.0-{repaired}.whl"
    assert made.stated_tags == {str(tag) for tag in made.tags}


@pytest.mark.parametrize(
    ("more", "target", "platforms"),
    [
        ({}, "cp313-manylinux_2_28_aarch64", "manylinux2014_aarch64.manylinux_2_17_aarch64.manylinux_2_28_aarch64"),
        ({}, TARGET, "manylinux2014_aarch64.manylinux_2_17_aarch64"),
        (
            {"versions_needed": {"libc.so.6": ["GLIBC_2.25"]}},
            "cp313-manylinux_2_34_aarch64",
            "manylinux_2_26_aarch64.manylinux_2_34_aarch64",
        ),
        (
            {"versions_needed": {"libc.so.6": ["GLIBC_2.33"]}},
            "cp313-manylinux_2_34_aarch64",
            "manylinux_2_34_aarch64",
        ),
    ],
)
def test_wider_tags_are_those_of_the_oldest_policy_that_it_complies_with(
    bench: Bench, more: dict[str, Any], target: str, platforms: str
) -> None:
    made = read_wheel(bench.repaired(wheel_of(bench, **more), target, wider_tags=True))
    assert made.path.name == f"tiny-1.0-cp313-cp313-{platforms}.whl"
    assert made.stated_tags == {str(tag) for tag in made.tags}


def test_musl_has_a_policy_of_its_own(bench: Bench) -> None:
    wheel = wheel_of(bench, needed=("libc.musl-aarch64.so.1",))
    made = bench.repaired(wheel, "cp313-musllinux_1_2_aarch64")
    assert made.name == "tiny-1.0-cp313-cp313-musllinux_1_2_aarch64.whl"


@pytest.mark.parametrize(
    "platform",
    ["linux_x86_64", "manylinux_2_17_x86_64", "musllinux_1_2_aarch64", "macosx_11_0_arm64", "linux_aarch64.any"],
)
def test_a_wheel_for_another_platform_is_not_renamed(bench: Bench, platform: str) -> None:
    with pytest.raises(RepairFailed, match=r"the build backend made a wheel for .*, but the target is cp313"):
        bench.repaired(wheel_of(bench, f"cp313-cp313-{platform}"))


def test_what_the_policy_does_not_promise_is_refused_with_the_policy_that_does(bench: Bench) -> None:
    wheel = wheel_of(bench, "cp313-cp313-manylinux_2_17_aarch64", versions_needed={"libc.so.6": ["GLIBC_2.33"]})
    with pytest.raises(RepairFailed, match=r"cannot be manylinux_2_28: .* GLIBC_2.33 \(libc.so.6\)") as failed:
        bench.repaired(wheel, "cp313-manylinux_2_28_aarch64")
    assert failed.value.hint == "--policy manylinux_2_34"


def test_a_pure_wheel_is_left_alone(bench: Bench) -> None:
    work = bench.work(tiny_wheel(bench.folder))
    assert repair(work) == work


# ---- libraries --------------------------------------------------------------------------------------------------


def test_libraries_of_the_sysroot_are_grafted_with_what_they_need(bench: Bench) -> None:
    foo = tiny_elf(soname="libfoo.so.1", needed=("libbar.so.2", "libc.so.6"))
    option = bench.sysroot(
        {
            "usr/lib/aarch64-linux-gnu/libfoo.so.1": "libfoo.so.1.2",
            "usr/lib/aarch64-linux-gnu/libfoo.so.1.2": foo,
            "usr/lib/aarch64-linux-gnu/libbar.so.2": "/opt/bar/libbar.so.2",
            "opt/bar/libbar.so.2": tiny_elf(soname="libbar.so.2", needed=("libm.so.6",)),
            "usr/lib/aarch64-linux-gnu/libidle.so.1": tiny_elf(soname="libidle.so.1"),
        }
    )
    made = bench.repaired(wheel_of(bench, needed=("libfoo.so.1", "libc.so.6")), **option)
    libraries = grafted(made)
    assert set(libraries) == {"libfoo", "libbar"}
    assert libraries["libbar"].soname in libraries["libfoo"].needed
    extension = read_wheel(made).elves[EXTENSION]
    assert isinstance(extension, Elf)
    assert libraries["libfoo"].soname in extension.needed
    assert extension.rpath == ("$ORIGIN/tiny.libs",)


def test_the_first_library_that_fits_is_taken(bench: Bench) -> None:
    option = bench.sysroot(
        {
            "usr/local/lib/libfoo.so.1": tiny_elf(machine="EM_386", bits=32, soname="libfoo.so.1"),
            "usr/lib/libfoo.so.1": tiny_elf(soname="libfoo.so.1"),
        }
    )
    assert grafted(bench.repaired(wheel_of(bench, needed=("libfoo.so.1",)), **option))["libfoo"].bits == 64


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "no library of that name was found for aarch64"),
        (
            {"lib/libfoo.so.1": tiny_elf(machine="EM_X86_64", soname="libfoo.so.1")},
            "lib/libfoo.so.1 is not for aarch64: it is EM_X86_64, 64 bit, little endian",
        ),
        ({"lib/libfoo.so.1": b"INPUT(-lfoo_core)\n"}, "lib/libfoo.so.1 cannot be loaded: not an ELF file"),
        ({"lib/libfoo.so.1": tiny_elf()[:200]}, "lib/libfoo.so.1 cannot be loaded: broken ELF file"),
        ({"lib/libfoo.so.1": "libfoo.so.1"}, "lib/libfoo.so.1 is a link to a file that the sysroot lacks"),
        ({"lib/libfoo.so.1": "../../../outside.so"}, "lib/libfoo.so.1 is a link to a file that the sysroot lacks"),
    ],
    ids=["absent", "another machine", "linker script", "truncated", "link to itself", "link to outside"],
)
def test_a_library_that_cannot_be_grafted_is_named_with_the_reason(
    bench: Bench, files: dict[str, bytes | str], reason: str
) -> None:
    (bench.folder / "outside.so").write_bytes(tiny_elf(soname="libfoo.so.1"))
    (bench.folder / "sysroot/lib").mkdir(parents=True)
    with pytest.raises(RepairFailed) as failed:
        bench.repaired(wheel_of(bench, needed=("libfoo.so.1",)), **bench.sysroot(files))
    assert "the wheel needs libfoo.so.1: " in failed.value.message
    assert reason in failed.value.message
    assert "sysroot.aarch64 in [tool.crosswheel]" in failed.value.hint


def test_a_container_gives_what_fits(bench: Bench) -> None:
    work = bench.work(wheel_of(bench, needed=("libfoo.so.1", "libbar.so.2")))
    there = {
        "libfoo.so.1": tiny_elf(soname="libfoo.so.1", needed=("libbar.so.2",)),
        "libbar.so.2": tiny_elf(soname="libbar.so.2"),
    }
    assert set(grafted(repair(in_container(work, there)).wheel)) == {"libfoo", "libbar"}


def test_a_library_of_a_container_that_does_not_fit_is_named_with_the_reason(bench: Bench) -> None:
    work = bench.work(wheel_of(bench, needed=("libfoo.so.1",)))
    with pytest.raises(
        RepairFailed, match=r"libfoo\.so\.1: the one in the container is not for aarch64: it is EM_S390"
    ):
        repair(in_container(work, {"libfoo.so.1": tiny_elf(machine="EM_S390", byteorder="big")}))


def in_container(work: Work, libraries: Mapping[str, bytes]) -> Work:
    space = work.workspace
    return replace(work, opened=_Contained(space.host, space.root, space.python, space.log, None, there=libraries))


@dataclass(frozen=True)
class _Contained(HostWorkspace):
    """A place that has libraries of its own."""

    there: Mapping[str, bytes] = field(default_factory=dict)

    def libraries(self, names: Iterable[str]) -> Mapping[str, Package]:
        folder = self.root / "libraries"
        for name in self.there.keys() & set(names):
            folder.mkdir(exist_ok=True)
            (folder / name).write_bytes(self.there[name])
        return dict.fromkeys(self.there.keys() & set(names), OWNER)


def test_libraries_that_the_policy_promises_are_not_looked_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    work = in_container(bench.work(wheel_of(bench, needed=("libfoo.so.1", "libm.so.6"))), {})
    asked: set[str] = set()

    def asking(_: HostWorkspace, names: Iterable[str]) -> Mapping[str, Package]:
        asked.update(names)
        return {}

    monkeypatch.setattr(_Contained, "libraries", asking)
    with pytest.raises(RepairFailed, match=r"the wheel needs libfoo\.so\.1"):
        repair(work)
    assert asked == {"libfoo.so.1"}


@pytest.mark.parametrize("name", ["", ".", "..", "../libfoo.so.1"])
def test_what_names_no_file_is_not_looked_for(bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A wheel may ask for anything, and a folder would come out of the container with all that is in it."""
    work = in_container(bench.work(wheel_of(bench, needed=("libfoo.so.1", name))), {})
    asked: set[str] = set()

    def asking(_: HostWorkspace, names: Iterable[str]) -> Mapping[str, Package]:
        asked.update(names)
        return {}

    monkeypatch.setattr(_Contained, "libraries", asking)
    with pytest.raises(RepairFailed, match="the wheel needs "):
        repair(work)
    assert asked == {"libfoo.so.1"}


def test_a_library_that_is_asked_for_by_a_path_is_not_this_machines(bench: Bench) -> None:
    """As one without a soname is that was linked by its path."""
    here = bench.folder / "machine/libfoo.so"
    here.parent.mkdir()
    here.write_bytes(data := tiny_elf(soname="libfoo.so"))
    before = here.stat()
    with pytest.raises(RepairFailed, match=f"the wheel needs {here}: no library of that name was found"):
        bench.repaired(wheel_of(bench, needed=(str(here),)))
    assert (here.read_bytes(), here.stat().st_mtime_ns, here.stat().st_mode) == (
        data,
        before.st_mtime_ns,
        before.st_mode,
    )


def test_a_run_path_takes_nothing_from_this_machine(bench: Bench) -> None:
    (bench.folder / "machine").mkdir()
    (bench.folder / "machine/libfoo.so.1").write_bytes(tiny_elf(soname="libfoo.so.1"))
    wheel = wheel_of(bench, needed=("libfoo.so.1",), runpath=str(bench.folder / "machine"))
    with pytest.raises(RepairFailed, match=r"the wheel needs libfoo\.so\.1: no library of that name was found"):
        bench.repaired(wheel)


def test_a_library_that_the_build_made_beside_the_wheel_is_grafted(bench: Bench) -> None:
    work = bench.work(wheel_of(bench))
    built = work.workspace.root / "source/build"
    built.mkdir(parents=True)
    (built / "libfoo.so").write_bytes(tiny_elf(soname="libfoo.so"))
    members = {EXTENSION: extension(needed=("libfoo.so",), rpath=str(built))}
    wheel = tiny_wheel(work.workspace.root, tag="cp313-cp313-linux_aarch64", members=members)
    assert set(grafted(repair(work.with_wheel(wheel)).wheel)) == {"libfoo"}


def test_two_libraries_of_one_name_are_refused(bench: Bench) -> None:
    work = bench.work(wheel_of(bench))
    members = {}
    for one in ("first", "second"):
        built = work.workspace.root / one
        built.mkdir()
        (built / "libfoo.so").write_bytes(tiny_elf(soname="libfoo.so", exports=(one,)))
        exports = (f"PyInit_{one}",)
        members[f"{one}.abi3.so"] = tiny_elf(needed=("libfoo.so",), rpath=str(built), exports=exports)
    wheel = tiny_wheel(work.workspace.root, tag="cp313-cp313-linux_aarch64", members=members)
    with pytest.raises(RepairFailed, match=r"two different libraries called libfoo\.so"):
        repair(work.with_wheel(wheel))


def test_a_broken_binary_is_told_of_without_a_traceback(bench: Bench) -> None:
    wheel = tiny_wheel(bench.folder, tag="cp313-cp313-linux_aarch64", members={EXTENSION: extension()[:100]})
    with pytest.raises(RepairFailed) as failed:
        bench.repaired(wheel)
    assert failed.value.message.startswith("auditwheel cannot analyse the wheel: ")


def test_a_library_among_files_of_pure_python_comes_with_the_way_to_say_that_it_is_not(bench: Bench) -> None:
    members = {"tiny-1.0.data/purelib/tiny/liba.so": tiny_elf(soname="liba.so")}
    wheel = tiny_wheel(bench.folder, tag="py3-none-linux_aarch64", members=members)
    with pytest.raises(RepairFailed, match="purelib") as failed:
        bench.repaired(wheel)
    assert failed.value.hint.startswith("setup(has_ext_modules=lambda: True)")


# ---- the same bytes again ---------------------------------------------------------------------------------------


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_repair_gives_the_same_bytes_wherever_and_whenever(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    option = bench.sysroot({"lib/libfoo.so.1": tiny_elf(soname="libfoo.so.1")})
    wheel = tiny_wheel(
        bench.folder,
        tag="cp313-cp313-linux_aarch64",
        members={"tiny/b.py": b"", "tiny/a.py": b"", EXTENSION: extension(needed=("libfoo.so.1",))},
    )
    first = bench.repaired(wheel, **option)
    os.umask(0o077)
    (bench.folder / "sysroot/lib/libfoo.so.1").chmod(0o600)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.sleep(2)  # the least that a zip archive can tell
    (bench.folder / "elsewhere").mkdir()
    shutil.copytree(bench.folder / "sysroot", bench.folder / "elsewhere/sysroot")
    option = {"sysroots": {"aarch64": bench.folder / "elsewhere/sysroot"}}
    second = Bench(bench.folder / "elsewhere").repaired(wheel, **option)
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("epoch", "moment"),
    [
        (315_532_800, (1980, 1, 1, 0, 0, 0)),
        (1_700_000_000, (2023, 11, 14, 22, 13, 20)),
        (4_354_819_198, (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_members_are_as_old_as_the_sdist(bench: Bench, epoch: int, moment: tuple[int, ...]) -> None:
    wheel = wheel_of(bench)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(zipfile.ZipInfo("late.py", (2024, 2, 29, 12, 30, 58)), "")
    with zipfile.ZipFile(bench.repaired(wheel, epoch=epoch)) as archive:
        assert {info.date_time for info in archive.infolist()} == {moment}


def test_metadata_comes_last_and_record_lists_all_before_it(bench: Bench) -> None:
    members = {"zebra.py": b"z = 1\n", EXTENSION: extension(), "tiny-1.0.dist-info/RECORD.jws": b"signed"}
    made = bench.repaired(tiny_wheel(bench.folder, tag="cp313-cp313-linux_aarch64", members=members))
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
        rows = list(csv.reader(io.StringIO(archive.read("tiny-1.0.dist-info/RECORD").decode())))
        digest = base64.urlsafe_b64encode(hashlib.sha256(archive.read("zebra.py")).digest()).rstrip(b"=").decode()
    assert names == [EXTENSION, "zebra.py", *(f"tiny-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD"))]
    assert [row[0] for row in rows] == names
    assert rows[1] == ["zebra.py", f"sha256={digest}", "6"]
    assert rows[-1][1:] == ["", ""]


def test_a_script_can_still_be_run(bench: Bench) -> None:
    wheel = wheel_of(bench)
    with zipfile.ZipFile(wheel, "a") as archive:
        script = zipfile.ZipInfo("tiny-1.0.data/scripts/tiny")
        script.external_attr = 0o100775 << 16
        archive.writestr(script, "#!python\n")
    with zipfile.ZipFile(bench.repaired(wheel)) as archive:
        modes = {info.filename: oct(info.external_attr >> 16) for info in archive.infolist()}
    assert modes["tiny-1.0.data/scripts/tiny"] == "0o100755"
    assert modes["tiny-1.0.dist-info/METADATA"] == "0o100644"


# ---- strip ------------------------------------------------------------------------------------------------------


def test_what_is_grafted_is_stripped_too(bench: Bench) -> None:
    option = bench.sysroot({"lib/libfoo.so.1": with_debug_info(tiny_elf(soname="libfoo.so.1"))})
    members = {EXTENSION: with_debug_info(extension(needed=("libfoo.so.1",)))}
    wheel = tiny_wheel(bench.folder, tag="cp313-cp313-linux_aarch64", members=members)
    kept, stripped = (bench.repaired(wheel, strip=strip, **option) for strip in (False, True))
    assert (contents(kept).count(DEBUG_INFO), contents(stripped).count(DEBUG_INFO)) == (2, 0)
    elf = read_wheel(stripped).elves[EXTENSION]
    assert isinstance(elf, Elf)
    assert elf.needed == (grafted(stripped)["libfoo"].soname,)
    assert elf.defined == {"PyInit_fast"}


def contents(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


# ---- what is left out, and told of -----------------------------------------------------------------------------


def test_excluded_libraries_are_left_to_the_users_and_told_in_a_note(bench: Bench) -> None:
    options = bench.sysroot(
        {
            "usr/lib/libfoo.so.1": tiny_elf(soname="libfoo.so.1", needed=("libcuda.so.1",)),
            "usr/lib/libcuda.so.1": tiny_elf(soname="libcuda.so.1"),
        }
    )
    wheel = wheel_of(bench, needed=("libc.so.6", "libfoo.so.1", "libtorch_cpu.so"))
    work = audit(repair(bench.work(wheel, exclude=("libcuda*", "libtorch*"), **options)))
    assert list(grafted(work.wheel)) == ["libfoo"]
    notes = [(finding.rule, finding.level, finding.found, finding.expected) for finding in work.findings]
    assert notes == [
        ("W411", "note", "libtorch_cpu.so", "with the users, by exclude = libtorch*"),
        ("W411", "note", "libcuda.so.1", "with the users, by exclude = libcuda*"),
    ]
    assert work.passed


def test_a_signature_that_the_repair_takes_out_is_told_of(bench: Bench) -> None:
    members = {EXTENSION: extension(), "tiny-1.0.dist-info/RECORD.p7s": b"signed"}
    wheel = tiny_wheel(bench.folder, tag="cp313-cp313-linux_aarch64", members=members)
    work = audit(repair(bench.work(wheel)))
    assert [(finding.rule, finding.found) for finding in work.findings] == [
        ("W516", "RECORD.p7s, taken out by the repair")
    ]
    assert not any(member.endswith(".p7s") for member in read_wheel(work.wheel).members)


# ---- the bill of materials --------------------------------------------------------------------------------------


def sbom(wheel: Path) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        return dict(json.loads(archive.read("tiny-1.0.dist-info/sboms/crosswheel.cdx.json")))


def test_grafted_libraries_are_in_the_bill_of_materials_with_their_packages(bench: Bench) -> None:
    work = bench.work(wheel_of(bench, needed=("libfoo.so.1",)))
    made = repair(in_container(work, {"libfoo.so.1": tiny_elf(soname="libfoo.so.1")})).wheel
    document = sbom(made)
    (component,) = document["components"]
    purl = "pkg:rpm/almalinux/foo-libs@1.2-3.el8?arch=aarch64"
    assert (component["name"], component["version"], component["purl"]) == ("foo-libs", "1.2-3.el8", purl)
    (file,) = (row["value"] for row in component["properties"])
    assert file in read_wheel(made).members
    assert component["hashes"][0]["content"][:8] in file
    assert document["metadata"]["component"]["purl"] == "pkg:pypi/tiny@1.0"
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    assert document["dependencies"][0] == {"ref": "pkg:pypi/tiny@1.0", "dependsOn": [component["bom-ref"]]}


def test_a_library_of_the_sysroot_without_a_package_is_a_known_unknown(bench: Bench) -> None:
    options = bench.sysroot({"usr/lib/libfoo.so.1": tiny_elf(soname="libfoo.so.1")})
    (component,) = sbom(bench.repaired(wheel_of(bench, needed=("libfoo.so.1",)), **options))["components"]
    assert component["name"] == "libfoo.so.1"
    assert "purl" not in component


def test_a_library_of_a_sysroot_has_the_package_of_its_database(bench: Bench) -> None:
    options = bench.sysroot(
        {
            "usr/lib/libfoo.so.1": "libfoo.so.1.2",
            "usr/lib/libfoo.so.1.2": tiny_elf(soname="libfoo.so.1"),
            "etc/os-release": b'NAME="Debian"\nID=debian\n',
            "var/lib/dpkg/info/libfoo1:arm64.list": b"/.\n/lib\n/lib/libfoo.so.1.2\n",
            "var/lib/dpkg/status": b"Package: libfoo1\nArchitecture: arm64\nVersion: 1:1.2-3\n",
        }
    )
    (component,) = sbom(bench.repaired(wheel_of(bench, needed=("libfoo.so.1",)), **options))["components"]
    assert component["purl"] == "pkg:deb/debian/libfoo1@1%3A1.2-3?arch=arm64"


def test_a_library_that_the_build_made_has_no_package(bench: Bench) -> None:
    work = bench.work(wheel_of(bench))
    built = work.workspace.root / "source/build"
    built.mkdir(parents=True)
    (built / "libfoo.so.1").write_bytes(tiny_elf(soname="libfoo.so.1", exports=("own",)))
    members = {EXTENSION: extension(needed=("libfoo.so.1",), rpath=str(built))}
    wheel = tiny_wheel(work.workspace.root, tag="cp313-cp313-linux_aarch64", members=members)
    contained = in_container(work.with_wheel(wheel), {"libfoo.so.1": tiny_elf(soname="libfoo.so.1")})
    (component,) = sbom(repair(contained).wheel)["components"]
    assert component["name"] == "libfoo.so.1"
    assert "purl" not in component


def test_a_wheel_without_grafted_libraries_has_no_bill_of_materials(bench: Bench) -> None:
    assert not any("/sboms/" in member for member in read_wheel(bench.repaired(wheel_of(bench))).members)
