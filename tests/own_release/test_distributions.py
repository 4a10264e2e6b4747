"""What users get of crosswheel: one wheel and one sdist, complete, and at work where there is nothing else."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from crosswheel.formats.sdists import member_names
from own_tree import VERSION, OwnTree, released_tree, run

pytestmark = [pytest.mark.slow, pytest.mark.index]

LARGEST = 1_000_000  # bytes of the wheel
PYTHON = f"cp3{sys.version_info[1]}"
# Tests that need neither the index nor a compiler nor the history.
FAST = ("tests/unit/model", "tests/unit/formats/test_sdists.py", "tests/unit/formats/test_symbols.py")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> OwnTree:
    return released_tree(tmp_path_factory.mktemp("own"))


def test_the_wheel_has_the_package_and_nothing_else(tree: OwnTree) -> None:
    assert tree.wheel.stat().st_size <= LARGEST
    with zipfile.ZipFile(tree.wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(f"crosswheel-{VERSION}.dist-info/METADATA").decode()
        wheel = archive.read(f"crosswheel-{VERSION}.dist-info/WHEEL").decode()
    assert {name.partition("/")[0] for name in names} == {"crosswheel", f"crosswheel-{VERSION}.dist-info"}
    assert {"crosswheel/py.typed", f"crosswheel-{VERSION}.dist-info/licenses/LICENSE"} <= set(names)
    assert not [name for name in names if name.endswith((".pyc", ".so", ".orig", "~")) or "__pycache__" in name]
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "\nClassifier: Typing :: Typed\n" in metadata
    assert "\nRoot-Is-Purelib: true\n" in wheel


def test_every_file_of_the_package_is_in_the_wheel(tree: OwnTree) -> None:
    tracked = run("git", "ls-files", "lib/crosswheel", cwd=tree.folder).split()
    with zipfile.ZipFile(tree.wheel) as archive:
        packed = {f"lib/{name}" for name in archive.namelist() if name.startswith("crosswheel/")}
    assert packed == set(tracked)


def test_other_tools_find_nothing(tree: OwnTree) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", str(tree.wheel), str(tree.sdist), cwd=tree.folder)
    run(sys.executable, "-m", "check_wheel_contents", str(tree.wheel), cwd=tree.folder)


def test_the_tree_and_the_sdist_make_the_same_wheel(tree: OwnTree, tmp_path: Path) -> None:
    options = ("--wheel", "--installer", "uv", "--outdir", str(tmp_path))
    run(sys.executable, "-m", "build", *options, ".", cwd=tree.folder, SOURCE_DATE_EPOCH=tree.epoch)
    assert (tmp_path / tree.wheel.name).read_bytes() == tree.wheel.read_bytes()


def test_the_sdist_tests_itself(tree: OwnTree, tmp_path: Path) -> None:
    shutil.unpack_archive(tree.sdist, tmp_path, filter="data")
    folder = tmp_path / f"crosswheel-{VERSION}"
    environ = {"PYTHONPATH": str(folder / "lib")}
    where = run(sys.executable, "-c", "import crosswheel; print(crosswheel.__file__)", cwd=folder, **environ)
    assert Path(where.strip()).is_relative_to(folder)
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *FAST, cwd=folder, **environ)


def test_the_sdist_has_no_tools_of_ours_alone(tree: OwnTree) -> None:
    tops = {name.split("/")[1] for name in member_names(tree.sdist) if "/" in name}
    assert {"lib", "tests", "docs", "pyproject.toml", "noxfile.py", "CHANGELOG.md", "LICENSE", "PKG-INFO"} <= tops
    assert not tops & {".ci", ".git", "bench", "corpus", "wheelhouse"}


def test_the_first_command_runs_from_any_folder(tree: OwnTree, tmp_path: Path) -> None:
    """The README's, as uvx and pipx run it: without a noxfile, in an environment that has the wheel alone."""
    environ = {name: "" for name in ("PYTHONPATH", "VIRTUAL_ENV") if name in os.environ}
    crosswheel = ("uvx", "--isolated", "--from", str(tree.wheel), "crosswheel")
    assert run(*crosswheel, "--version", cwd=tmp_path, **environ) == f"crosswheel {VERSION}\n"
    told = run(*crosswheel, "wheels", "markupsafe", "--arch", "aarch64", "--python", PYTHON, cwd=tmp_path, **environ)
    assert "1 of 1 wheel in wheelhouse/" in told
    assert [path.suffix for path in (tmp_path / "wheelhouse").glob("markupsafe-*aarch64*")] == [".whl"]
