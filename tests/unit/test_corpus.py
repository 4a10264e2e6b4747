"""What `nox -s corpus` concludes of two wheels, and the page that it writes."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from corpus import results
from corpus.builds import crosswheel_command
from corpus.contents import differences, is_compiled
from corpus.page import page
from corpus.projects import Project, read_projects
from corpus.results import BUILD_FAILED, SAME, Row

from crosswheel.testing import tiny_wheel

NATIVE, ARM = "cp311-cp311-linux_x86_64", "cp311-cp311-manylinux_2_17_aarch64"
PROJECT = Project("tiny", "1.0", "0" * 64, ("tiny",), "tiny.add(1, 2)", "int", ("C", "Cython"))


def wheels(folder: Path, *ours: str) -> tuple[str, ...]:
    (folder / "native").mkdir()
    there = dict.fromkeys(("tiny/__init__.py", "tiny/fast.cpython-311-x86_64-linux-gnu.so"), b"")
    native = tiny_wheel(folder / "native", tag=NATIVE, members=there)
    return differences(native, tiny_wheel(folder, tag=ARM, members=dict.fromkeys(ours, b"")))


def test_names_without_the_platform_are_compared(tmp_path: Path) -> None:
    assert wheels(tmp_path, "tiny/__init__.py", "tiny/fast.cpython-311-aarch64-linux-gnu.so") == ()


def test_grafted_libraries_are_no_difference(tmp_path: Path) -> None:
    ours = ("tiny/__init__.py", "tiny/fast.cpython-311-aarch64-linux-gnu.so", "tiny.libs/libz-1.so")
    assert wheels(tmp_path, *ours) == ()


def test_an_extension_that_one_wheel_lacks_is_named(tmp_path: Path) -> None:
    assert wheels(tmp_path, "tiny/__init__.py", "tiny/config.py") == (
        "the wheel for AArch64 lacks tiny/fast.so",
        "the wheel for AArch64 has tiny/config.py",
    )


def test_a_wheel_of_python_alone_is_not_compiled(tmp_path: Path) -> None:
    assert not is_compiled(tiny_wheel(tmp_path, tag=NATIVE, members={"tiny.py": b""}))


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    row = Row("tiny", "1.0", "setuptools", SAME, 2.0, 1.0, "cross", "Zig", notes=("W605: x",))
    results.write({"tiny==1.0": row}, tmp_path / "results.json")
    assert results.read(tmp_path / "results.json") == {"tiny==1.0": row}
    assert results.read(tmp_path / "none.json") == {}


def test_a_failure_is_told_without_this_machines_folders() -> None:
    log = [
        "pip ended with 1",
        *["compiling"] * 9,
        "gcc -I/home/me/include -c a.c",
        "/home/me/a.c:1: fatal error: b.h: gone",
    ]
    assert results.plain("\n".join(log)) == "pip ended with 1\na.c:1: fatal error: b.h: gone"
    assert results.plain("asked https://index.example/simple/") == "asked ..."
    assert results.plain("error: gcc -I/home/me/include -c a.c") == "error: gcc -Iinclude -c a.c"


def test_the_page_has_a_row_per_project_and_the_words_of_each_failure() -> None:
    good = Row("tiny", "1.0", "setuptools", SAME, 2.0, 1.0, "cross", "Zig", "under QEMU")
    bad = Row("other", "2.0", "maturin", BUILD_FAILED, failed="BuildFailed\nno cargo")
    projects = [PROJECT, Project("other", "2.0", "", (), "", "", ("Rust",))]
    text = page(projects, {"tiny==1.0": good, "other==2.0": bad}, "Seconds of one processor.")
    row = "| tiny 1.0 | setuptools | C, Cython | cross, Zig's runtime | 1.0 (2.0) | same answer; under QEMU |"
    assert row in text.splitlines()
    published = page(projects, {"tiny==1.0": replace(good, native_seconds=0.0, published=True)}, "")
    assert row.replace("1.0 (2.0)", "1.0 (published)") in published.splitlines()
    assert "Of 2 sdists 2 were tried: 1 build failed, 1 same answer. Seconds of one processor." in text
    assert "### other 2.0: build failed\n\n```\nBuildFailed\nno cargo\n```" in text


def test_every_project_of_the_list_can_be_pinned_and_asked() -> None:
    projects = read_projects()
    assert len(projects) == len({project.name for project in projects})
    for project in projects:
        assert len(project.sha256) == 64
        assert project.imports
        compile(project.check, project.name, "eval")


def test_a_list_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "corpus.toml"
    path.write_text(f"[[project]]\nname = {json.dumps('tiny')}\nnonsense = 1\n")
    with pytest.raises(TypeError, match="nonsense"):
        read_projects(path)


def test_builds_are_by_the_crosswheel_that_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "crosswheel").mkdir()
    (tmp_path / "crosswheel/__init__.py").touch()
    (tmp_path / "crosswheel/tasks.py").write_text("def main() -> None:\n    print(__file__)\n")
    monkeypatch.setattr("crosswheel.__file__", str(tmp_path / "crosswheel/__init__.py"))
    told = subprocess.run([*crosswheel_command(), "wheels"], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == str(tmp_path / "crosswheel/tasks.py")
