"""The names that conda-forge has for PyPI's projects: whl2conda's copy of conda-forge's own table."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources

from packaging.utils import canonicalize_name

from crosswheel.errors import MissingTool

EXTRA_HINT = 'pip install "crosswheel[conda]"'


@functools.cache
def renamed() -> Mapping[str, str]:
    """Conda's name by PyPI's normalised name, where the two differ. Raises MissingTool without whl2conda."""
    try:
        # Not its function, which keeps a copy in the user's cache and reads that from then on.
        text = resources.files("whl2conda.api").joinpath("stdrename.json").read_text("utf-8")
    except (ImportError, OSError) as error:
        raise MissingTool("the table of conda's names comes with the package whl2conda", hint=EXTRA_HINT) from error
    # Keys that begin with $ say where the table comes from.
    return {canonicalize_name(name): conda for name, conda in json.loads(text).items() if not name.startswith("$")}


def conda_name(project: str) -> str:
    """The package's name: ``pytorch`` for ``torch``; PyPI's normalised name if the table has no other."""
    name = canonicalize_name(project)
    return renamed().get(name, name)
