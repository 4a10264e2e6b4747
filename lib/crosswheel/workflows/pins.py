"""The actions of a workflow, each pinned by the commit of a release."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from packaging.version import Version

from crosswheel.model.targets import load_table

_USE = re.compile(r"\buses: ([\w.-]+/[\w./-]+)@([0-9a-f]{40}) +# v(\d+(?:\.\d+)*)\s*$", re.MULTILINE)


class Pin(NamedTuple):
    """A release of an action, and its commit (40 hexadecimal digits)."""

    version: str
    commit: str


def our_pins() -> dict[str, Pin]:
    """The pins of data/actions.toml by action."""
    return {action: Pin(**row) for action, row in load_table("actions.toml").items()}


def newest_pins(text: str, ours: Mapping[str, Pin]) -> dict[str, Pin]:
    """Our pins, and in their place those of a workflow that are newer: Dependabot and Renovate write them there."""
    pins = dict(ours)
    for action, commit, version in _USE.findall(text):
        if action in pins and Version(version) > Version(pins[action].version):
            pins[action] = Pin(version, commit)
    return pins


def use(action: str, pins: Mapping[str, Pin]) -> str:
    """The value of ``uses:``, with the version as a comment, as Dependabot reads it."""
    return f"{action}@{pins[action].commit}  # v{pins[action].version}"
