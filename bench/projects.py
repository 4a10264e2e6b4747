"""What the benchmark builds: three real sdists, each with a second one in which one source file was touched."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# In C and in C++, and in the object file although nobody calls it.
_TOUCH = b"\n__attribute__((used)) static int crosswheel_touched(void) { return 42; }\n"


@dataclass(frozen=True)
class Project:
    """`touched` is the source file that changes; `settings` are meson's, alike in every row.

    `cross_file` is what it asks a cross file for that no compiler can tell.
    """

    requirement: str
    touched: str
    settings: tuple[str, ...] = ()
    cross_file: str = ""

    @property
    def module(self) -> str:
        return self.requirement.partition("==")[0]


PROJECTS: Mapping[str, Project] = {
    "kiwisolver": Project("kiwisolver==1.4.9", "py/src/constraint.cpp"),
    "markupsafe": Project("markupsafe==3.0.3", "src/markupsafe/_speedups.c"),
    "numpy": Project(
        "numpy==2.3.5",
        "numpy/_core/src/multiarray/alloc.c",
        # Without kernels for each kind of processor: x86-64 has far more of those than AArch64.
        ("-Dblas=none", "-Dlapack=none", "-Ddisable-optimization=true"),
        "[properties]\nlongdouble_format = 'IEEE_QUAD_LE'\n",
    ),
}
MAIN, SMALL, LARGE = PROJECTS


def fetched(requirement: str, work: Path) -> Path:
    """The sdist, from the package index or from what was fetched of it before."""
    from crosswheel.model.job import deaf
    from crosswheel.pipeline.source import fetch
    from crosswheel.system.local_host import local_host

    return fetch(requirement, local_host(offline=False, listener=deaf), work, deaf).path


def touched(sdist: Path, member: str, folder: Path) -> Path:
    """A copy in which one source file compiles to something else."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{sdist.name.removesuffix('.tar.gz')}/{member}"
    with tarfile.open(sdist) as old, tarfile.open(folder / sdist.name, "w:gz") as new:
        old.getmember(name)  # raises KeyError, where another version has no such file
        for entry in old:
            file = old.extractfile(entry) if entry.isfile() else None
            data = file.read() if file else b""
            if entry.name == name:
                data += _TOUCH
                entry.size = len(data)
            new.addfile(entry, io.BytesIO(data) if file else None)
    return folder / sdist.name


def primer(folder: Path) -> Path:
    """One C++ file: enough to make every engine fetch and prepare what it needs, and nothing of a measured project."""
    return packed(
        folder,
        "primer",
        {
            "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
            "setup.py": _SETUP,
            "primer.cc": _EXTENSION,
        },
    )


def no_op(folder: Path, library: bytes) -> Path:
    """A project that compiles nothing and needs nothing: what is left is what the tool itself takes for a job.

    `library` is the extension module, as if it had been compiled.
    """
    backend = {"pyproject.toml": _IN_TREE, "backend.py": _BACKEND, "noop.c": "/* so that it looks compiled */\n"}
    return packed(folder, "noop", {**backend, "noop.bin": library})


def packed(folder: Path, name: str, members: Mapping[str, str | bytes]) -> Path:
    """An sdist with these files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0.tar.gz"
    metadata = {"PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"}
    with tarfile.open(path, "w:gz") as archive:
        for member, content in {**metadata, **members}.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(f"{name}-1.0/{member}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


_SETUP = """\
from setuptools import Extension, setup

setup(name="primer", version="1.0", ext_modules=[Extension("primer", ["primer.cc"], language="c++")])
"""
_EXTENSION = """\
#include <Python.h>
#include <iostream>
#include <string>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "primer"};
PyMODINIT_FUNC PyInit_primer(void) {
    std::cerr << std::string("hello") << std::endl;
    return PyModule_Create(&module);
}
"""
_IN_TREE = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
_BACKEND = """\
import base64, hashlib, pathlib, sys, sysconfig, zipfile


def build_wheel(folder, config_settings=None, metadata_directory=None):
    python = f"cp3{sys.version_info[1]}"
    tag = f"{python}-{python}-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
    info = "noop-1.0.dist-info"
    files = {
        "noop" + sysconfig.get_config_var("EXT_SUFFIX"): pathlib.Path("noop.bin").read_bytes(),
        f"{info}/METADATA": b"Metadata-Version: 2.1\\nName: noop\\nVersion: 1.0\\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\\nGenerator: noop\\nRoot-Is-Purelib: false\\nTag: {tag}\\n".encode(),
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\\n"
        for name, data in files.items()
    )
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\\n".encode()
    with zipfile.ZipFile(pathlib.Path(folder, f"noop-1.0-{tag}.whl"), "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return f"noop-1.0-{tag}.whl"
"""
