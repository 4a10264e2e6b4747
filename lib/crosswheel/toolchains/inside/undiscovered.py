"""Prevents setuptools from discovering the wheelhouse as a package of the project.

In a project without a list of packages, setuptools treats every folder beside pyproject.toml as a package, except
`dist`, `build` and other known names, and fails if there are two (its manual, "Automatic discovery").
"""

from typing import Any

from .after_import import after_import


def main(folder: str) -> None:
    def add(module: Any) -> None:
        finder = module.FlatLayoutPackageFinder
        finder.DEFAULT_EXCLUDE = (*finder.DEFAULT_EXCLUDE, folder, f"{folder}.*")

    after_import(["setuptools.discovery"], add)
