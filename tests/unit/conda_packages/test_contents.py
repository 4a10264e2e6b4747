"""The files of a package: where they lie, what is changed, and what is refused."""

from __future__ import annotations

import base64
import csv
import hashlib
from pathlib import Path

import pytest

from crosswheel.conda_packages.contents import PREFIX, Content
from crosswheel.conda_packages.packages import CondaPackage, packages_of
from crosswheel.errors import CheckFailed
from crosswheel.formats.wheels import read_wheel
from crosswheel.testing import tiny_wheel

COMPILED, PURE = "cp312-cp312-manylinux_2_28_aarch64", "py3-none-any"
INFO, DATA = "tiny-1.0.dist-info", "tiny-1.0.data"
MEMBERS = {
    "tiny/__init__.py": b"",
    f"{DATA}/scripts/tool": b"#!python -E\nprint(1)\n",
    f"{DATA}/scripts/program": b"\x7fELF",
    f"{DATA}/data/share/tiny/x": b"x",
    f"{DATA}/headers/tiny.h": b"h",
    f"{DATA}/purelib/pure.py": b"p",
    f"{INFO}/entry_points.txt": b"[console_scripts]\ntiny = tiny.cli:App.main [extra]\n[gui_scripts]\nshow=tiny:show\n",
}


def package(folder: Path, tag: str, members: dict[str, bytes]) -> CondaPackage:
    return packages_of(read_wheel(tiny_wheel(folder, tag=tag, members=members)))[0]


def files(made: CondaPackage) -> dict[str, Content]:
    return {content.path: content for content in made.contents}


def test_the_files_of_a_package_for_one_cpython_lie_where_pip_puts_them(tmp_path: Path) -> None:
    found = files(package(tmp_path, COMPILED, MEMBERS))
    site = "lib/python3.12/site-packages"
    assert set(found) == {
        "bin/program", "bin/show", "bin/tiny", "bin/tool", "include/python3.12/tiny/tiny.h", "share/tiny/x",
        f"{site}/pure.py", f"{site}/tiny/__init__.py",
        *(f"{site}/{INFO}/{name}" for name in ("INSTALLER", "METADATA", "RECORD", "WHEEL", "entry_points.txt")),
    }  # fmt: skip
    assert {path for path, content in found.items() if content.executable} == {path for path in found if "bin/" in path}
    assert {path for path, content in found.items() if content.has_prefix} == {"bin/show", "bin/tiny", "bin/tool"}


def test_scripts_start_the_python_of_the_environment(tmp_path: Path) -> None:
    found = files(package(tmp_path, COMPILED, MEMBERS))
    assert found["bin/tool"].data == f"#!{PREFIX}/bin/python -E\nprint(1)\n".encode()
    script = found["bin/tiny"].data.decode()
    assert script.startswith(f"#!{PREFIX}/bin/python\n")
    assert "from tiny.cli import App\n" in script
    assert "sys.exit(App.main())" in script
    compile(script, "tiny", "exec")
    assert len(PREFIX) == 255


def test_the_files_of_a_package_for_several_cpythons_wait_for_the_installer(tmp_path: Path) -> None:
    found = files(package(tmp_path, PURE, MEMBERS))
    assert {path.partition("/")[0] for path in found} == {"site-packages", "python-scripts", "include", "share"}
    assert "include/tiny/tiny.h" in found
    assert "python-scripts/tool" in found
    assert not any(path.endswith("/show") for path in found)


@pytest.mark.parametrize("tag", [COMPILED, PURE])
def test_the_record_has_the_paths_after_the_installation(tag: str, tmp_path: Path) -> None:
    found = files(package(tmp_path, tag, MEMBERS))
    (record,) = (content for path, content in found.items() if path.endswith("/RECORD"))
    rows = {row[0]: row[1:] for row in csv.reader(record.data.decode().splitlines())}
    assert {"tiny/__init__.py", "pure.py", f"{INFO}/RECORD", "../../../bin/tool", "../../../share/tiny/x"} <= set(rows)
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"x").digest()).rstrip(b"=").decode()
    assert rows["../../../share/tiny/x"] == [f"sha256={digest}", "1"]
    assert rows["../../../bin/tool"] == ["", ""]
    assert len(rows) == len(found)


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (f"{DATA}/data/../../x", "outside the environment"),
        (f"{DATA}/data//etc/passwd", "outside the environment"),
        (f"{DATA}/scripts/a\\b", "outside the environment"),
        (f"{DATA}/data/info/index.json", "a folder that conda has for itself"),
        (f"{DATA}/data/conda-meta/x.json", "a folder that conda has for itself"),
        (f"{DATA}/scripts/.tiny-post-link.sh", "would be run by conda when it installs"),
        (f"{DATA}/data/bin/.tiny-pre-unlink.sh", "would be run by conda when it installs"),
        (f"{DATA}/else/x", "is in no scheme of a wheel"),
        (f"{DATA}/scripts/tiny", "would both be bin/tiny"),
        (f"{DATA}/purelib/tiny/__init__.py", "would both be lib/python3.12/site-packages/tiny/__init__.py"),
        (f"{DATA}/purelib/tiny/__init__.py/x", "would both be lib/python3.12/site-packages/tiny/__init__.py/x"),
    ],
)
def test_paths_that_would_do_harm_or_clash_are_refused(member: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed) as refused:
        package(tmp_path, COMPILED, {**MEMBERS, member: b"x"})
    assert reason in refused.value.message


@pytest.mark.parametrize("line", ["a/b = tiny:main", "x = tiny", "x = tiny:main; import os", "x = os:system('y')"])
def test_entry_points_that_are_no_script_are_refused(line: str, tmp_path: Path) -> None:
    points = f"[console_scripts]\n{line}\n".encode()
    with pytest.raises(CheckFailed, match="cannot become a script"):
        package(tmp_path, COMPILED, {f"{INFO}/entry_points.txt": points})
