"""The list of projects in tests/corpus.toml, and the sdist of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosswheel.formats.sdists import unpack_sdist
from crosswheel.model.job import Sdist, deaf
from crosswheel.model.pyproject import read_toml
from crosswheel.pipeline.source import fetch
from crosswheel.system.local_host import local_host

LIST = Path(__file__).parents[1] / "tests/corpus.toml"

_BACKENDS = {
    "mesonpy": "meson-python",
    "scikit_build_core": "scikit-build-core",
    "hatchling": "hatchling",
    "maturin": "maturin",
    "pdm": "pdm-backend",
    "poetry": "poetry-core",
    "flit_core": "flit-core",
    "setuptools": "setuptools",
}


@dataclass(frozen=True)
class Project:
    """One sdist of the list.

    `imports` are modules, with the extension modules that a fallback in Python could hide. `check` is a Python
    expression that may use them, `kind` the name of its answer's type. `languages` are those of the compiled code.
    `needs` is what the build requires of this machine beside a C and C++ compiler. `packages` are those
    of Debian with the libraries that the project links to.
    """

    name: str
    version: str
    sha256: str
    imports: tuple[str, ...]
    check: str
    kind: str
    languages: tuple[str, ...]
    needs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"


class WrongSdist(Exception):  # noqa: N818 - reads as what happened
    """The index has another file than the list pins."""


def read_projects(path: Path = LIST) -> tuple[Project, ...]:
    """Raises TypeError if a row has an unknown key or lacks one."""
    return tuple(_project(row) for row in read_toml(path)["project"])


def _project(row: Mapping[str, Any]) -> Project:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Project(**fields)


def sdist_of(project: Project, folder: Path) -> Sdist:
    """The sdist, from the index or the cache. Raises WrongSdist and CrosswheelError."""
    sdist = fetch(project.requirement, local_host(offline=False, listener=deaf), folder, deaf)
    if sdist.sha256 != project.sha256:
        raise WrongSdist(f"{sdist.path.name} has the sha256 {sdist.sha256}, {LIST.name} pins {project.sha256}")
    return sdist


def backend_of(sdist: Sdist, folder: Path) -> str:
    """The distribution of the build backend; setuptools if pyproject.toml names none (PEP 517)."""
    pyproject = unpack_sdist(sdist, folder) / "pyproject.toml"
    system: Mapping[str, Any] = read_toml(pyproject).get("build-system", {}) if pyproject.is_file() else {}
    if system.get("backend-path"):  # a backend in the sdist wraps one of its build requirements
        requires = " ".join(system.get("requires", ()))
        return next((f"in the sdist, over {name}" for name in _BACKENDS.values() if name in requires), "in the sdist")
    top = str(system.get("build-backend", "setuptools")).partition(":")[0].partition(".")[0]
    return _BACKENDS.get(top, top)
