"""Keeps setuptools from taking the folder that wheels go to for a package of the project.

This file is copied into the environment that an sdist is made in, and runs at the start of each of its interpreters.
In a project without a list of packages setuptools looks for them itself: every folder beside pyproject.toml is one, but
for `dist`, `build` and others whose names it knows; two of them, and it gives up (its manual, "Automatic discovery").
"""

import sys
from typing import Any


class _Discovery:
    """An import hook (PEP 451) that adds the folder to those names, once the module with them is imported."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002 - as it is called
        if name != "setuptools.discovery":
            return None
        from importlib.util import find_spec

        sys.meta_path.remove(self)
        spec = find_spec(name)
        loader: Any = spec.loader if spec else None
        if loader:
            execute = loader.exec_module

            def execute_and_add(module: Any) -> None:
                execute(module)
                finder = module.FlatLayoutPackageFinder
                finder.DEFAULT_EXCLUDE = (*finder.DEFAULT_EXCLUDE, self.folder, f"{self.folder}.*")

            loader.exec_module = execute_and_add
        return spec


def main(folder: str) -> None:
    sys.meta_path.insert(0, _Discovery(folder))
