"""Empty packages in the place of conda-forge's: what packages of wheels depend on."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from crosswheel.conda_packages.channel import write_repodata
from crosswheel.model.targets import PythonTag


def add_python(channel: Path, subdir: str, python: PythonTag) -> None:
    """Packages that are called as those of a CPython on conda-forge are, and repodata.json with them."""
    version = f"{python.version}.5"
    add(channel, subdir, "python", version, f"1_{python}", depends=[f"python_abi {python.version}.* *_{python}"])
    add(channel, subdir, "python_abi", python.version, f"8_{python}")
    add(channel, subdir, "cpython", version, "1", depends=[f"python {version}"])
    if not python.free_threaded:
        add(channel, subdir, "python-gil", version, "1", depends=[f"cpython {version}"])
    write_repodata(channel)


def add(channel: Path, subdir: str, name: str, version: str, build: str, depends: list[str] | None = None) -> None:
    from conda_package_streaming.create import conda_builder

    index = {
        "name": name,
        "version": version,
        "build": build,
        "build_number": 0,
        "depends": depends or [],
        "subdir": subdir,
        # Far in the past: a solver may leave out packages without a time.
        "timestamp": 1_000_000_000_000,
    }
    files = {"info/index.json": index, "info/paths.json": {"paths": [], "paths_version": 1}}
    folder = channel / subdir
    folder.mkdir(parents=True, exist_ok=True)
    with conda_builder(f"{name}-{version}-{build}", folder, compression_level=1) as archive:
        for path, value in files.items():
            data = json.dumps(value).encode()
            header = tarfile.TarInfo(path)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
