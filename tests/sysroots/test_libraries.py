"""Libraries of the target come from a sysroot, and a copy of what the policy lacks goes into the wheel."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from arm import ArmPython
from builds import WITHOUT_CONTAINERS
from crosswheel.commands import run_verb
from crosswheel.formats.wheels import read_wheel
from debian import DebianUnavailable, unpacked

pytestmark = [pytest.mark.slow, pytest.mark.index, pytest.mark.debian]


@pytest.fixture(scope="module")
def sysroot(debian_cache: Path) -> Path:
    """Debian 12's libyaml, which wants nothing newer than glibc 2.17, and its libffi, which does."""
    try:
        return unpacked("arm64", ("libyaml-dev", "libyaml-0-2", "libffi-dev", "libffi8"), "bookworm", debian_cache)
    except DebianUnavailable as error:
        pytest.skip(f"no sysroot with libyaml and libffi: {error}")


def build(source: str, sysroot: Path, folder: Path, **flags: object) -> tuple[int, str, list[Path]]:
    (folder / "pyproject.toml").write_text(f'[tool.crosswheel]\nsysroot = {{ aarch64 = "{sysroot}" }}\n')
    printed = io.StringIO()
    code = run_verb("wheels", folder, {"source": source, "python": ["cp311"], **WITHOUT_CONTAINERS, **flags}, printed)
    return code, printed.getvalue(), list((folder / "wheelhouse").glob("*.whl"))


@pytest.fixture(scope="module", params=[False, True], ids=["as built", "stripped"])
def pyyaml(sysroot: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """PyYAML, which without libyaml becomes a wheel with nothing in it."""
    folder = tmp_path_factory.mktemp("pyyaml")
    code, printed, wheels = build("pyyaml==6.0.3", sysroot, folder, strip=request.param)
    assert code == 0, printed
    return wheels[0]


def test_a_library_of_the_sysroot_is_grafted(pyyaml: Path) -> None:
    elves = read_wheel(pyyaml).elves
    extension, library = sorted(elves, reverse=True)
    assert extension == "yaml/_yaml.cpython-311-aarch64-linux-gnu.so"
    assert library.startswith("pyyaml.libs/libyaml-0-")
    assert {elf.machine for elf in elves.values() if not isinstance(elf, Exception)} == {"EM_AARCH64"}


@pytest.mark.emulator
def test_it_loads_its_library_there(arm_python: ArmPython, pyyaml: Path) -> None:
    assert arm_python.import_wheel(pyyaml, ["yaml._yaml"], python_minor=11) == {
        "yaml._yaml": "yaml/_yaml.cpython-311-aarch64-linux-gnu.so"
    }


def test_a_policy_that_the_library_cannot_keep_is_refused(sysroot: Path, tmp_path: Path) -> None:
    code, printed, wheels = build("cffi==2.0.0", sysroot, tmp_path)
    assert (code, wheels) == (8, [])
    assert "the wheel cannot be manylinux2014: it needs symbol versions that are too new: GLIBC_2.27" in printed
    assert "try: --policy manylinux_2_27" in printed
