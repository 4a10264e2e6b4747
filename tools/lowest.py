"""Says which installed requirement is not the lowest that pyproject.toml allows: then that one was never tried."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "lib"))

from crosswheel.model.pyproject import read_toml


def main() -> None:
    project = read_toml(ROOT / "pyproject.toml")["project"]
    requirements = map(Requirement, [*project["dependencies"], *project["optional-dependencies"]["nox"]])
    wrong = [told for requirement in requirements if (told := _not_lowest(requirement))]
    if wrong:
        sys.exit("\n".join(wrong))


def _not_lowest(requirement: Requirement) -> str:
    """Empty for one that is, and for one that this Python does not need."""
    if requirement.marker and not requirement.marker.evaluate():
        return ""
    (lowest,) = (Version(spec.version) for spec in requirement.specifier if spec.operator == ">=")
    found = Version(version(requirement.name))
    return "" if found == lowest else f"{requirement} is tried with {found}: write >={found}"


if __name__ == "__main__":
    main()
