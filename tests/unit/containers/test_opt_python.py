"""The interpreters of an unpacked image, named and linked as in pypa's."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.containers.opt_python import read_pythons
from crosswheel.model.targets import parse_python

# Links in /opt/python, and the folders in /opt/_internal that they lead to (pypa/manylinux at ad3c4539).
LINKS = {
    "cp39-cp39": "cpython-3.9.25",
    "cp310-cp310": "cpython-3.10.20",
    "cp311-cp311": "cpython-3.11.15",
    "cp312-cp312": "cpython-3.12.13",
    "cp313-cp313": "cpython-3.13.14",
    "cp314-cp314": "cpython-3.14.6",
    "cp314-cp314t": "cpython-3.14.6-nogil",
    "cp315-cp315": "cpython-3.15.0b3",
    "cp315-cp315t": "cpython-3.15.0b3-nogil",
    "pp311-pypy311_pp73": "pp311-pypy311_pp73",
    "graalpy312-graalpy250_312_native": "graalpy312-graalpy250_312_native",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "opt/python"
    folder.mkdir(parents=True)
    for name, target in LINKS.items():
        programs = tmp_path / "opt/_internal" / target / "bin"
        programs.mkdir(parents=True)
        (programs / "python3").touch()
        (programs / "python").symlink_to("python3")
        (folder / name).symlink_to(f"../_internal/{target}")
    return tmp_path


def test_each_cpython_has_its_version_and_the_path_behind_the_link(root: Path) -> None:
    found = read_pythons(root)
    expected = {name.partition("-")[2]: target for name, target in LINKS.items() if name.startswith("cp")}
    assert {str(tag): one.path.parts[3] for tag, one in found.items()} == expected
    assert {one.path.name for one in found.values()} == {"python"}
    assert found[parse_python("cp315t")].version == "3.15.0b3"
    assert found[parse_python("cp314t")].version == "3.14.6"


def test_one_that_is_not_installed_is_not_there(root: Path) -> None:
    """cp38 and cp313t are gone from the images, and `manylinux-interpreters ensure` cannot bring them back."""
    assert parse_python("cp313t") not in read_pythons(root)
