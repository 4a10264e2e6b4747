"""Wheels that cross builds against an unpacked image, run by the image's CPython under QEMU."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from arm import EMULATOR
from builds import WITHOUT_CONTAINERS
from crosswheel.commands import run_verb
from stand_in_roots import StandInRoot

pytestmark = [pytest.mark.index, pytest.mark.emulator, pytest.mark.debian]

PROJECTS = Path(__file__).parents[1] / "projects"
MINOR = 11

_TRANSLATED = """
import importlib, json, sys

def raised(function, *arguments):
    try:
        function(*arguments)
    except BaseException as error:
        return type(error).__name__

modules = [importlib.import_module(name) for name in sys.argv[1:]]
print(json.dumps([[raised(one.standard), raised(one.through, other.standard)] for one in modules for other in modules]))
"""


@dataclass(frozen=True)
class Workshop:
    """Builds against the image, and runs its Python."""

    made: StandInRoot
    folder: Path

    def build(self, project: str, name: str = "") -> tuple[Path, dict[str, Any]]:
        """The folder with what the wheel has, and the job's row of the report; `name` is written for PROJECT."""
        source = self.folder / f"{project}{name}-project"
        shutil.copytree(PROJECTS / project, source)
        pyproject = source / "pyproject.toml"
        pyproject.write_text(pyproject.read_text().replace("PROJECT", name))
        options = {
            **WITHOUT_CONTAINERS,
            "source": str(source),
            "python": [f"cp3{MINOR}"],
            "image": self.made.reference,
            "policy": "manylinux_2_41",
        }
        printed = io.StringIO()
        assert run_verb("wheels", source, options, printed) == 0, printed.getvalue()
        (wheel,) = (source / "wheelhouse").glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.folder / f"{project}{name}")
        (job,) = json.loads((source / "wheelhouse/report.json").read_text())["jobs"]
        return self.folder / f"{project}{name}", job

    def answer(self, code: str, *arguments: str, paths: list[Path]) -> Any:
        """What the code prints as JSON under the image's Python."""
        emulator = shutil.which(EMULATOR)
        if emulator is None:
            pytest.skip(f"{EMULATOR} is not installed")
        root = self.made.image.root
        python = (root / "opt/python" / f"cp3{MINOR}-cp3{MINOR}" / "bin" / "python").resolve()
        command = [emulator, "-L", str(root), str(python), "-S", "-s", "-c", code, *arguments]
        environ = {"PATH": os.defpath, "QEMU_CPU": "cortex-a57", "PYTHONPATH": os.pathsep.join(map(str, paths))}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def workshop(manylinux_root: StandInRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(manylinux_root.cache))
    return Workshop(manylinux_root, tmp_path)


def test_an_extension_has_the_images_libraries(workshop: Workshop) -> None:
    folder, job = workshop.build("asks_the_image")
    assert job["image"] == f"{workshop.made.reference}@{workshop.made.image.digest}"
    code = "import json, asks_the_image as asks; print(json.dumps([asks.checksum(), asks.raises()]))"
    assert workshop.answer(code, paths=[folder]) == [891568578, True]


@pytest.mark.slow
@pytest.mark.daily(1, of="C++ across")
def test_cxx_has_gccs_runtime_in_every_module_of_two_wheels(workshop: Workshop) -> None:
    folders = [workshop.build("cxx_pybind11", name)[0] for name in ("left", "right")]
    names = [f"{name}_{number}" for name in ("left", "right") for number in ("one", "two")]
    assert workshop.answer(_TRANSLATED, *names, paths=folders) == [["ValueError", "ValueError"]] * len(names) ** 2
    for folder in folders:
        for extension in folder.glob("*.so"):
            # By this name pybind11 shares types with modules that gcc has compiled.
            assert b"_libstdcpp" in extension.read_bytes()
