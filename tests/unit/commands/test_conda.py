"""The verb `conda`: which wheels become packages, what it says of the others, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import crosswheel as cw
from crosswheel.errors import AuditFailed, CheckFailed, NothingToDo, UsageError
from crosswheel.testing import tiny_elf, tiny_wheel

pytest.importorskip("conda_package_streaming")

GOOD, BAD = tiny_elf(exports=["PyInit_fast"]), tiny_elf(exports=["PyInit_fast"], needed=["libfoo.so"])


def compiled(folder: Path, platform: str = "manylinux_2_17_aarch64", library: bytes = GOOD, **more: Any) -> Path:
    libc = "musl" if platform.startswith("musl") else "gnu"
    member = f"tiny/fast.cpython-312-aarch64-linux-{libc}.so"
    return tiny_wheel(folder, tag=f"cp312-cp312-{platform}", members={member: library}, **more)


def conda(folder: Path, *wheels: Path, **options: Any) -> cw.CondaReport:
    return cw.conda(wheels or [folder], channel=folder / "channel", jobs=1, **options)


def test_wheels_become_packages_in_the_folders_of_their_platforms(tmp_path: Path) -> None:
    compiled(tmp_path)
    tiny_wheel(tmp_path, name="pure", members={"pure.py": b""})
    report = conda(tmp_path, json=tmp_path / "report.json")
    assert report.ok
    found = {path.parent.name: path.name for path in (tmp_path / "channel").glob("*/*.conda")}
    assert found == {one.package.variant.subdir: one.path.name for one in report.packages}
    assert set(found) == {"linux-aarch64", "noarch"}
    assert "2 packages in" in str(report)
    document = json.loads((tmp_path / "report.json").read_text())
    assert [package["name"] for package in document["packages"]] == ["pure", "tiny"]
    assert document["totals"] == {"packages": 2, "left_out": 0}


def test_musl_is_told_and_no_failure_beside_other_packages(tmp_path: Path) -> None:
    compiled(tmp_path)
    compiled(tmp_path, "musllinux_1_2_aarch64")
    report = conda(tmp_path)
    assert (report.ok, len(report.packages)) == (True, 1)
    assert "it is for musl (musllinux_1_2_aarch64), and conda packages run on glibc" in str(report)


def test_musl_alone_is_a_failure(tmp_path: Path) -> None:
    report = conda(tmp_path, compiled(tmp_path, "musllinux_1_2_aarch64"))
    assert (report.exit_code, report.packages) == (CheckFailed.exit_code, ())
    assert not (tmp_path / "channel").exists()


def test_a_wheel_that_fails_the_audit_is_left_out(tmp_path: Path) -> None:
    tiny_wheel(tmp_path, name="pure", members={"pure.py": b""})
    report = conda(tmp_path, tmp_path, compiled(tmp_path, library=BAD))
    assert report.exit_code == AuditFailed.exit_code
    assert [one.package.name for one in report.packages] == ["pure"]
    (left,) = report.left_out
    assert left.reason.startswith("error W4")


def test_a_wheel_without_metadata_is_left_out(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "")
    report = conda(tmp_path, path)
    assert report.exit_code == AuditFailed.exit_code
    assert "no .dist-info folder" in str(report)


def test_a_wheel_that_conda_cannot_express_is_left_out(tmp_path: Path) -> None:
    points = b"[console_scripts]\ntiny = tiny:main\n"
    members = {"tiny.py": b"", "tiny-1.0.dist-info/entry_points.txt": points, "tiny-1.0.data/data/bin/tiny": b"x"}
    report = conda(tmp_path, compiled(tmp_path), tiny_wheel(tmp_path, members=members))
    assert report.exit_code == CheckFailed.exit_code, str(report)
    assert len(report.packages) == 1
    assert "tiny-1.0.data/data/bin/tiny and an entry point would both be bin/tiny" in str(report)


def test_several_versions_of_a_project_are_refused(tmp_path: Path) -> None:
    compiled(tmp_path)
    compiled(tmp_path, version="1.1")
    with pytest.raises(CheckFailed, match="the wheels have 2 versions of tiny"):
        conda(tmp_path)


def test_projects_that_conda_calls_alike_are_refused(tmp_path: Path) -> None:
    for name in ("torch", "pytorch"):
        tiny_wheel(tmp_path, name=name, members={f"{name}.py": b""})
    with pytest.raises(CheckFailed, match="would both be the conda package pytorch"):
        conda(tmp_path)


def test_one_wheel_in_two_folders_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    paths = [compiled(tmp_path / "a"), compiled(tmp_path / "b")]
    with pytest.raises(CheckFailed, match="are the same wheel"):
        conda(tmp_path, *paths)


def test_without_wheels_there_is_nothing_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="there is no wheel in"):
        conda(tmp_path)
    with pytest.raises(UsageError, match="there is no file or folder"):
        conda(tmp_path, tmp_path / "tiny-1.0-py3-none-any.whl")


def test_two_runs_give_the_same_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(tmp_path)

    def channel() -> dict[str, bytes]:
        conda(tmp_path)
        return {path.name: path.read_bytes() for path in (tmp_path / "channel").glob("*/*")}

    first = channel()
    assert channel() == first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert channel().keys() == first.keys()
    repodata = json.loads((tmp_path / "channel" / "linux-aarch64" / "repodata.json").read_text())
    assert [entry["timestamp"] for entry in repodata["packages.conda"].values()] == [1_700_000_000_000]


def test_a_pure_package_beside_compiled_ones_is_a_fallback(tmp_path: Path) -> None:
    compiled(tmp_path)
    tiny_wheel(tmp_path, members={"tiny/__init__.py": b""})
    assert conda(tmp_path).ok
    repodata = [json.loads(path.read_text()) for path in (tmp_path / "channel").glob("*/repodata.json")]
    features = {
        one["info"]["subdir"]: next(iter(one["packages.conda"].values())).get("track_features") for one in repodata
    }
    assert features == {"noarch": "tiny_no_compile", "linux-aarch64": None}
