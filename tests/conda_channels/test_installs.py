"""py-rattler, the library of pixi, solves for AArch64 and installs real wheels that became conda packages."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

import pytest
from packaging.utils import parse_wheel_filename

import crosswheel as cw
import real_wheels
from arm import ArmPython
from conda_channels.stand_ins import add_python
from crosswheel.errors import IndexUnreachable
from crosswheel.model.targets import architectures, parse_python
from crosswheel.testing import tiny_elf, tiny_wheel

pytest.importorskip("rattler", reason="py-rattler is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.index]

SUBDIR, MINOR = "linux-aarch64", 13
WHEELS: dict[str, str] = tomllib.loads(Path(__file__).with_name("wheels.toml").read_text())
INSTALLER = Path(__file__).with_name("install.py")
# Where pip puts the files of a wheel's schemes, below the prefix.
SITE = f"lib/python3.{MINOR}/site-packages"
SCHEMES = {"data": "", "scripts": "bin/", "headers": f"include/python3.{MINOR}/"}


@dataclass(frozen=True)
class Installed:
    """The environment, and the wheels that are in it."""

    prefix: Path
    wheels: tuple[Path, ...]
    channel: Path


def install(
    channel: Path, specs: list[str], prefix: Path, glibc: str = "2.28", platform: str = SUBDIR
) -> subprocess.CompletedProcess[str]:
    wanted: dict[str, Any] = {"channel": channel.as_uri(), "platform": platform, "specs": specs, "glibc": glibc}
    wanted |= {"prefix": str(prefix), "cache": str(prefix.with_name("cache"))}
    command = [sys.executable, str(INSTALLER), json.dumps(wanted)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, debian_cache: Path) -> Installed:
    folder = tmp_path_factory.mktemp("conda")
    try:
        wheels = tuple(real_wheels.download(debian_cache, name, sha256) for name, sha256 in WHEELS.items())
    except IndexUnreachable as error:
        pytest.skip(str(error))
    report = cw.conda(wheels, channel=folder / "channel")
    assert report.ok, str(report)
    add_python(report.channel, SUBDIR, parse_python(f"cp3{MINOR}"))
    done = install(report.channel, [one.package.name for one in report.packages], folder / "prefix")
    assert done.returncode == 0, done.stderr
    assert {one.path.name for one in report.packages} <= set(json.loads(done.stdout))
    return Installed(folder / "prefix", wheels, report.channel)


def files_of(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Each file of a wheel except RECORD, by the path at which pip would install it."""
    project = parse_wheel_filename(wheel.name)[0]
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            top, _, rest = info.filename.partition("/")
            if info.is_dir() or info.filename.endswith((".dist-info/RECORD", ".dist-info/INSTALLER")):
                continue
            scheme, _, path = rest.partition("/")
            if not top.endswith(".data"):
                yield f"{SITE}/{info.filename}", archive.read(info)
            elif scheme == "headers":
                # A package for several CPythons has no folder of one of them.
                folder = "include/" if wheel.name.endswith("none-any.whl") else SCHEMES[scheme]
                yield f"{folder}{project}/{path}", archive.read(info)
            else:
                yield f"{SCHEMES.get(scheme, f'{SITE}/')}{path}", archive.read(info)


def test_every_file_of_the_wheels_is_where_pip_would_put_it(installed: Installed) -> None:
    for wheel in installed.wheels:
        found = dict(files_of(wheel))
        assert len(found) > 3
        assert not [path for path, data in found.items() if (installed.prefix / path).read_bytes() != data]


def test_the_records_name_files_that_are_there(installed: Installed) -> None:
    records = list((installed.prefix / SITE).glob("*.dist-info/RECORD"))
    assert len(records) == len(WHEELS)
    for record in records:
        with record.open(newline="") as file:
            paths = [row[0] for row in csv.reader(file)]
        assert not [path for path in paths if not (installed.prefix / SITE / path).is_file()]


def test_what_the_packages_hold_can_be_imported_and_run_on_arm(installed: Installed, arm_python: ArmPython) -> None:
    """By Debian's CPython, whose program and standard library are put where a conda package of Python has them."""
    if MINOR not in arm_python.roots:
        pytest.skip(arm_python.missing[MINOR])
    root, prefix = arm_python.roots[MINOR], installed.prefix
    shutil.copytree(root / "usr" / "lib" / f"python3.{MINOR}", prefix / "lib" / f"python3.{MINOR}", dirs_exist_ok=True)
    python = prefix / "bin" / "python"
    shutil.copy(root / "usr" / "bin" / f"python3.{MINOR}", python)
    emulated = [str(arm_python.emulator), "-L", str(root)]
    environ = {"PYTHONPATH": str(prefix / SITE), "QEMU_CPU": "cortex-a57", "LC_ALL": "C.UTF-8"}

    def run(*command: str) -> str:
        whole = [*emulated, *command]
        return subprocess.run(whole, env=environ, capture_output=True, text=True, timeout=300, check=True).stdout

    code = """
import sys, kiwisolver, greenlet, bcrypt, click, charset_normalizer.md
print(sys.prefix, bcrypt.checkpw(b"x", bcrypt.hashpw(b"x", bcrypt.gensalt(4))), kiwisolver._cext.__file__)
"""
    where, same, extension = run(str(python), "-S", "-c", code).split()
    assert (where, same) == (str(prefix), "True")
    assert extension.startswith(str(prefix / SITE))
    # A kernel starts the program in the first line of a script.
    script = prefix / "bin" / "normalizer"
    interpreter = script.read_text().splitlines()[0].removeprefix("#!")
    assert interpreter == str(python)
    assert "usage" in run(interpreter, "-S", str(script), "--help")
    assert run(str(prefix / "bin" / "shfmt"), "--version").strip().startswith("v")


def test_an_older_glibc_and_another_python_are_refused_by_the_solver(installed: Installed, tmp_path: Path) -> None:
    older = install(installed.channel, ["bcrypt"], tmp_path / "older", glibc="2.17")
    assert older.returncode
    assert "__glibc" in older.stderr
    add_python(installed.channel, SUBDIR, parse_python("cp312"))
    other = install(installed.channel, ["kiwisolver", "python 3.12.*"], tmp_path / "other")
    assert other.returncode
    assert "python" in other.stderr


def compiled(folder: Path, tag: str, machine: str) -> Path:
    arch = architectures()[machine]
    library = tiny_elf(machine=arch.machine, bits=arch.bits, byteorder=arch.byteorder, exports=["PyInit_fast"])
    abi = tag.split("-")[1]
    suffix = "abi3" if abi == "abi3" else f"cpython-{abi.removeprefix('cp')}-{arch.multiarch}"
    return tiny_wheel(folder, tag=tag, members={"tiny/__init__.py": b"", f"tiny/fast.{suffix}.so": library})


@pytest.mark.daily(2)
@pytest.mark.parametrize("machine", architectures())
def test_each_platform_gets_its_own_package(machine: str, tmp_path: Path) -> None:
    wheels = [compiled(tmp_path, f"cp313-cp313-manylinux_2_31_{name}", name) for name in architectures()]
    report = cw.conda(wheels, channel=tmp_path / "channel")
    assert report.ok, str(report)
    (ours,) = (one.package for one in report.packages if one.package.wheel.path.name.endswith(f"_{machine}.whl"))
    add_python(report.channel, ours.variant.subdir, parse_python("cp313"))
    done = install(report.channel, ["tiny"], tmp_path / "prefix", "2.31", ours.variant.subdir)
    assert done.returncode == 0, done.stderr
    assert ours.file_name in json.loads(done.stdout)
    suffix = architectures()[machine].multiarch
    assert (tmp_path / "prefix" / SITE / "tiny" / f"fast.cpython-313-{suffix}.so").is_file()


def test_a_free_threaded_python_gets_its_package_and_none_for_the_stable_abi(tmp_path: Path) -> None:
    tags = ("cp314-cp314-manylinux_2_28_aarch64", "cp314-cp314t-manylinux_2_28_aarch64")
    wheels = [*(compiled(tmp_path, tag, "aarch64") for tag in tags)]
    report = cw.conda(wheels, channel=tmp_path / "channel")
    assert report.ok, str(report)
    add_python(report.channel, SUBDIR, parse_python("cp314t"))
    done = install(report.channel, ["tiny"], tmp_path / "prefix")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "prefix/lib/python3.14t/site-packages/tiny/__init__.py").is_file()
    stable = cw.conda(compiled(tmp_path, "cp39-abi3-manylinux_2_28_aarch64", "aarch64"), channel=tmp_path / "stable")
    add_python(stable.channel, SUBDIR, parse_python("cp314t"))
    refused = install(stable.channel, ["tiny"], tmp_path / "refused")
    assert refused.returncode
    assert "python-gil" in refused.stderr


def test_a_compiled_package_is_taken_before_a_newer_pure_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = compiled(tmp_path, "cp313-cp313-manylinux_2_28_aarch64", "aarch64")
    pure = tiny_wheel(tmp_path, members={"tiny/__init__.py": b""})
    with monkeypatch.context() as newer:
        newer.setenv("SOURCE_DATE_EPOCH", "1700000000")
        channel = cw.conda([wheel, pure], channel=tmp_path / "channel").channel
    cw.conda(wheel, channel=channel)
    add_python(channel, SUBDIR, parse_python("cp313"))
    taken = json.loads(install(channel, ["tiny"], tmp_path / "prefix").stdout)
    assert [name for name in taken if name.startswith("tiny-1.0-py313h")]
    add_python(channel, SUBDIR, parse_python("cp312"))
    taken = json.loads(install(channel, ["tiny", "python 3.12.*"], tmp_path / "other").stdout)
    assert [name for name in taken if name.startswith("tiny-1.0-pyh")]
