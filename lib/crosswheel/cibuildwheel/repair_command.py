"""What a repair-wheel-command asks for, as far as crosswheel's own repair does the same."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from crosswheel.model.targets import Target


class NotOurs(ValueError):  # noqa: N818 - reads as what it is
    """The command does more than crosswheel's repair."""


@dataclass(frozen=True)
class Repair:
    """The options `strip`, `exclude` and `wider-tags` of crosswheel that do the same."""

    strip: bool = False
    exclude: tuple[str, ...] = ()
    wider_tags: bool = True


def parse_repair(command: str, target: Target) -> Repair:
    """Read ``auditwheel repair`` with the options that crosswheel's repair has. Raises NotOurs with the reason."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if words[:2] != ["auditwheel", "repair"]:
        raise NotOurs("it is not auditwheel repair alone")
    strip, exclude, wider, rest = False, [], True, iter(words[2:])
    for word in rest:
        name, _, value = word.partition("=")
        if name == "--strip":
            strip = True
        elif name == "--only-plat":
            wider = False
        elif name == "--exclude":
            exclude.append(value or next(rest, ""))
        elif name == "--plat":
            _check_platform(value or next(rest, ""), target)
        elif name in {"-w", "--wheel-dir"}:
            next(rest, "") if not value else None
        elif word not in _SAME:
            raise NotOurs(f"crosswheel's repair has nothing like {word}")
    return Repair(strip, tuple(exclude), wider)


# What makes no difference.
_SAME = {"{wheel}", "-v", "--verbose"}


def _check_platform(text: str, target: Target) -> None:
    if text not in {f"{target.policy}_{target.arch}", target.platform, "auto"}:
        raise NotOurs(f"--plat {text} is not the policy of its image, {target.policy}")
