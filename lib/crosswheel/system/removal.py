"""Removes folders that containers in namespaces have written to: their files may belong to others than the user."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from crosswheel.errors import CrosswheelError
from crosswheel.system.namespaces import Namespace
from crosswheel.system.process import Processes
from crosswheel.system.refusal import Refusal
from crosswheel.system.subordinate_ids import find_maps, this_user

_OF_FILES = frozenset({0, 1, 3})  # linux/capability.h: chown, dac_override, fowner


def remove_tree(folder: Path) -> None:
    """Remove a folder, as far as possible; links in it are not followed.

    Folders without any right are opened. What belongs to one of the user's subordinate ids is removed in a namespace.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):
        _open(folder)
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):
        _remove_as_root_of_a_namespace(folder)


def _open(folder: Path) -> None:
    for root, folders, _ in os.walk(folder):
        for name in folders:
            with suppress(OSError):
                if not os.path.islink(path := os.path.join(root, name)):  # noqa: PTH114, PTH118 - there may be many
                    os.chmod(path, 0o700)  # noqa: PTH101


def _remove_as_root_of_a_namespace(folder: Path) -> None:
    maps = find_maps(this_user())
    if maps and not isinstance(maps, Refusal):
        inside = Namespace(as_root=True, maps=maps, capabilities=_OF_FILES)
        with suppress(CrosswheelError, OSError):
            Processes().run(["rm", "-rf", "--", str(folder)], env={"PATH": os.defpath}, namespace=inside)
