"""Keeps setuptools from taking the folder that wheels go to for a package of the project.

In a project without a list of packages setuptools looks for them itself: every folder beside pyproject.toml is one, but
for `dist`, `build` and others whose names it knows; two of them, and it gives up (its manual, "Automatic discovery").
"""

from typing import Any

from .after_import import after_import


def main(folder: str) -> None:
    def add(module: Any) -> None:
        finder = module.FlatLayoutPackageFinder
        finder.DEFAULT_EXCLUDE = (*finder.DEFAULT_EXCLUDE, folder, f"{folder}.*")

    after_import(["setuptools.discovery"], add)
