from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

from crosswheel.errors import AuditFailed, CheckFailed
from crosswheel.formats.distributions import read_distribution
from crosswheel.formats.elf import BadElf, Elf
from crosswheel.formats.wheels import artifact, read_wheel, serves, top_level_modules
from crosswheel.model.targets import PythonTag, parse_target
from crosswheel.testing import tiny_elf, tiny_wheel

TAG = "cp313-cp313-manylinux_2_17_aarch64.manylinux2014_aarch64"
SUFFIX = ".cpython-313-aarch64-linux-gnu.so"


def test_a_wheel_says_what_it_is(tmp_path: Path) -> None:
    members = {"tiny/__init__.py": b"", f"tiny/fast{SUFFIX}": tiny_elf(exports=["PyInit_fast"])}
    wheel = read_wheel(tiny_wheel(tmp_path, name="Tiny", version="1.0", tag=TAG, members=members))
    assert (wheel.name, wheel.version, wheel.build, wheel.tag) == ("tiny", Version("1.0"), (), TAG)
    assert {str(tag) for tag in wheel.tags} == wheel.stated_tags
    assert wheel.pythons == {PythonTag(13)}
    assert [str(arch) for _, arch in wheel.platforms] == ["aarch64"]
    assert wheel.dist_info == "Tiny-1.0.dist-info"
    assert wheel.metadata["Name"] == "Tiny"
    assert not wheel.root_is_purelib
    assert not wheel.is_pure
    assert not wheel.is_abi3
    assert list(wheel.elves) == [f"tiny/fast{SUFFIX}"]
    assert wheel.members[:2] == ("Tiny-1.0.dist-info/METADATA", "Tiny-1.0.dist-info/WHEEL")
    assert [row for row in wheel.record if row.digest] == [
        row for path, row in wheel.contents.items() if not path.endswith("RECORD")
    ]


def test_the_oldest_policy_comes_first(tmp_path: Path) -> None:
    wheel = read_wheel(tiny_wheel(tmp_path, tag="cp39-abi3-manylinux_2_28_x86_64.manylinux2010_x86_64.linux_x86_64"))
    assert [policy.perennial for policy, _ in wheel.platforms] == ["manylinux_2_12", "manylinux_2_28"]
    assert wheel.is_abi3


def test_a_pure_wheel_is_pure(tmp_path: Path) -> None:
    wheel = read_wheel(tiny_wheel(tmp_path))
    assert wheel.is_pure
    assert wheel.root_is_purelib
    assert not wheel.platforms


@pytest.mark.parametrize(
    ("member", "exports", "name", "suffix"),
    [
        (f"tiny/fast{SUFFIX}", (), "fast", SUFFIX),
        ("tiny/fast.abi3.so", (), "fast", ".abi3.so"),
        ("tiny/fast.abi3t.so", (), "fast", ".abi3t.so"),
        ("tiny/fast.so", ("PyInit_fast",), "fast", ".so"),
        (f"tiny/__init__{SUFFIX}", (), "tiny", SUFFIX),
    ],
)
def test_extensions_are_told_by_name_or_by_what_they_export(
    tmp_path: Path, member: str, exports: tuple[str, ...], name: str, suffix: str
) -> None:
    wheel = read_wheel(tiny_wheel(tmp_path, tag=TAG, members={member: tiny_elf(exports=exports)}))
    (extension,) = wheel.extensions
    assert (extension.name, extension.suffix) == (name, suffix)


@pytest.mark.parametrize("member", ["tiny.libs/libfoo-1234.so.6", "tiny/libfoo.so", "tiny/program"])
def test_libraries_and_programs_are_no_extensions(tmp_path: Path, member: str) -> None:
    wheel = read_wheel(tiny_wheel(tmp_path, tag=TAG, members={member: tiny_elf(exports=["foo"])}))
    assert list(wheel.elves) == [member]
    assert wheel.extensions == ()


def test_hooks_follow_pep_489(tmp_path: Path) -> None:
    wheel = read_wheel(tiny_wheel(tmp_path, tag=TAG, members={f"lančmít{SUFFIX}": tiny_elf()}))
    assert wheel.extensions[0].hooks == {"PyInitU_lanmt_2sa6t", "PyModExportU_lanmt_2sa6t"}


def test_broken_elf_files_are_values(tmp_path: Path) -> None:
    members = {f"fast{SUFFIX}": b"oops", "lib.so": tiny_elf()[:100], "good.so": tiny_elf()}
    elves = read_wheel(tiny_wheel(tmp_path, tag=TAG, members=members)).elves
    assert [type(elf) for elf in elves.values()] == [BadElf, BadElf, Elf]


def test_what_is_called_after_an_extension_is_none(tmp_path: Path) -> None:
    members = {f"fast{SUFFIX}.license": b"MIT", "fast.abi3.so.sha256": b"0123"}
    assert not read_wheel(tiny_wheel(tmp_path, tag=TAG, members=members)).elves


def test_an_artifact_is_what_lies_on_disk(tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path, tag=TAG)
    made = artifact(path)
    assert (made.path, made.size, made.tag) == (path, path.stat().st_size, TAG)
    assert made.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_where_members_are_installed(tmp_path: Path) -> None:
    wheel = read_wheel(tiny_wheel(tmp_path))
    assert wheel.installed("tiny-1.0.data/platlib/tiny/fast.so") == "tiny/fast.so"
    assert wheel.installed("tiny-1.0.data/scripts/tiny") == "../../../bin/tiny"
    assert wheel.installed("tiny-1.0.data/data/lib/libtiny.so") == "../../libtiny.so"
    assert wheel.installed("tiny-1.0.data/data/share/tiny") == "../../../share/tiny"
    assert wheel.installed("tiny-1.0.data/plotlib/tiny") == "tiny-1.0.data/plotlib/tiny"
    assert wheel.installed("tiny/fast.so") == "tiny/fast.so"


def test_a_name_that_is_no_wheels(tmp_path: Path) -> None:
    with pytest.raises(AuditFailed, match=r"^tiny\.whl is not the name of a wheel: "):
        read_wheel(tmp_path / "tiny.whl")


@pytest.mark.parametrize("build", ["", "1-"])
def test_a_wheel_variant_is_named_as_what_it_is(tmp_path: Path, build: str) -> None:
    name = f"numpy-2.3.2-{build}cp313-cp313t-musllinux_1_2_x86_64-x86_64_v3.whl"
    with pytest.raises(AuditFailed, match=r"x86_64_v3\.whl is a wheel variant \(x86_64_v3\): PEP 825 is a draft"):
        read_wheel(tmp_path / name)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckFailed, match=r"no index accepts a file of this name: .* is a wheel variant"):
        read_distribution(tmp_path / name)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"<!doctype html>"])
def test_a_file_that_is_no_archive(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    path.write_bytes(data)
    with pytest.raises(AuditFailed, match=r"^tiny-1\.0-py3-none-any\.whl cannot be read as a zip archive: "):
        read_wheel(path)


def test_a_truncated_archive(tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(AuditFailed, match="cannot be read as a zip archive"):
        read_wheel(path)


def test_an_archive_with_a_member_that_was_changed(tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path, members={"tiny.py": b"answer = 42\n"})
    path.write_bytes(path.read_bytes().replace(b"answer = 42", b"answer = 43"))
    wheel = read_wheel(path)
    assert {member: str(error) for member, error in wheel.unreadable.items()} == {
        "tiny.py": "CRC-32 6933b331 instead of 70288270"
    }
    assert "tiny.py" not in wheel.contents


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (["tiny.py"], "it has no .dist-info folder"),
        (["a.dist-info/WHEEL", "b.dist-info/WHEEL"], "it holds a.dist-info, b.dist-info"),
    ],
)
def test_an_archive_that_is_no_wheel(tmp_path: Path, members: list[str], message: str) -> None:
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, "")
    with pytest.raises(AuditFailed, match=f"^{path.name} is not a wheel: {message}$"):
        read_wheel(path)


def test_a_wheel_without_metadata(tmp_path: Path) -> None:
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Tag: nonsense\n")
    wheel = read_wheel(path)
    assert wheel.stated_tags == {"nonsense"}
    with pytest.raises(AuditFailed, match=r"it has no tiny-1\.0\.dist-info/METADATA$"):
        _ = wheel.metadata


def test_a_record_that_is_no_csv_file(tmp_path: Path) -> None:
    endless = b'"' + b"x" * 200_000
    wheel = read_wheel(tiny_wheel(tmp_path, members={"tiny-1.0.dist-info/RECORD": endless}))
    with pytest.raises(AuditFailed, match="is not a CSV file: "):
        _ = wheel.record


@pytest.mark.parametrize(
    ("tag", "target", "does"),
    [
        ("py3-none-any", "cp313-manylinux2014_aarch64", True),
        ("cp311-none-any", "cp313-manylinux2014_aarch64", False),
        ("cp36-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64", "cp313-manylinux2014_aarch64", True),
        ("cp312-abi3-manylinux_2_17_aarch64", "cp311-manylinux2014_aarch64", False),
        ("cp311-abi3-manylinux_2_17_aarch64", "cp313t-manylinux2014_aarch64", False),
        ("cp311-abi3-manylinux_2_17_aarch64", "cp313-manylinux_2_28_aarch64", False),
        ("cp311-abi3-manylinux_2_17_x86_64", "cp313-manylinux2014_aarch64", False),
        ("cp311-abi3-musllinux_1_2_aarch64", "cp313-manylinux2014_aarch64", False),
        ("py2.py3-none-any", "cp313t-musllinux_1_2_aarch64", True),
        ("py311-none-any", "cp313-manylinux2014_aarch64", True),
        ("py3-none-manylinux_2_17_aarch64", "cp313-manylinux2014_aarch64", True),
        ("py3-none-manylinux_2_17_x86_64", "cp313-manylinux2014_aarch64", False),
        ("cp312-cp312-manylinux_2_17_aarch64", "cp313-manylinux2014_aarch64", False),
    ],
)
def test_a_wheel_may_serve_other_targets(tag: str, target: str, *, does: bool) -> None:
    assert serves(f"tiny-1.0-{tag}.whl", parse_target(target)) is does


# ---- what can be imported -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "modules"),
    [
        (["tiny/__init__.py", "tiny/inner.py", "tiny/deep/__init__.py"], ["tiny"]),
        (["tiny.py", "other.py"], ["other", "tiny"]),
        # Namespace packages (PEP 420) cannot be imported for what is in them.
        (["space/tiny/__init__.py", "space/tiny/inner.py", "space/module.py"], ["space.module", "space.tiny"]),
        (["tiny/__init__.py", "tiny/hollow/inner.py"], ["tiny"]),
        ([f"fast{SUFFIX}"], ["fast"]),
        ([f"space/fast{SUFFIX}", f"tiny/__init__{SUFFIX}", f"tiny/fast{SUFFIX}"], ["space.fast", "tiny"]),
        (["fast.abi3.so", "other.abi3t.so"], ["fast", "other"]),
        (["tiny-1.0.data/platlib/tiny/__init__.py", "tiny-1.0.data/purelib/other.py"], ["other", "tiny"]),
        (["tiny-1.0.data/scripts/run.py", "tiny-1.0.data/data/share/tiny/example.py"], []),
        (["tiny.py", "tiny.libs/libz-0a1b2c3d.so", "tiny.libs/libz-0a1b2c3d.so.1"], ["tiny"]),
        (["tiny/__main__.py", "tiny/py.typed", "tiny/__init__.pyi", "my-scripts/run.py", "2to3.py"], []),
    ],
)
def test_the_shortest_names_that_import_everything(tmp_path: Path, members: list[str], modules: list[str]) -> None:
    wheel = tiny_wheel(tmp_path, tag=TAG, members=dict.fromkeys(members, b""))
    assert top_level_modules(read_wheel(wheel)) == tuple(modules)
