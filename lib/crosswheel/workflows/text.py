"""Writes the text of a CI system's file."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.model.ci import CISettings
from crosswheel.workflows.groups import HOST, Group
from crosswheel.workflows.pins import newest_pins, our_pins, use
from crosswheel.workflows.places import read_places, refuse_lost, write_place
from crosswheel.workflows.systems import System

if TYPE_CHECKING:
    from jinja2 import Environment

_SIGNATURE = re.compile(r"# Written by `crosswheel ci [a-z]+`")


@dataclass(frozen=True)
class Project:
    """What a file depends on beside its groups and settings. `tag_format` contains ``{version}``."""

    repository: str
    tag_format: str
    has_submodules: bool


def is_ours(text: str) -> bool:
    """Whether a file was written by crosswheel."""
    return bool(_SIGNATURE.match(text))


def file_text(
    system: System,
    groups: tuple[Group, ...],
    settings: CISettings,
    project: Project,
    runners: Mapping[str, str],
    before: str = "",
) -> str:
    """The text of the file; from `before`, the text it had, come the steps in marked places and newer pins of actions.

    Raises UsageError for places that do not end, or would be lost.
    """
    places = read_places(before, system.path)
    pins = newest_pins(before, our_pins())
    text = (
        _environment()
        .get_template(system.template)
        .render(
            system=system,
            groups=groups,
            settings=settings,
            project=project,
            host=runners.get(HOST, ""),
            crosswheel=__version__,
            use=partial(use, pins=pins),
            place=partial(_place, places),
        )
    )
    refuse_lost(places, text, system.path)
    return text


def _place(places: Mapping[str, str], name: str, indent: int, what: str) -> str:
    return write_place(name, places, indent, what)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - YAML: each value is written as a quoted scalar
        # GitHub's expressions are ${{ ... }}.
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        loader=PackageLoader("crosswheel.workflows"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(quoted=_quoted, shell=shlex.quote, glob=_glob, regex=_regex)
    return environment


def _quoted(value: object) -> str:
    """A text, a number or a list of texts as YAML, which contains JSON."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _glob(tag_format: str) -> str:
    """``v{version}`` -> ``v*``: a pattern of tags for GitHub."""
    before, _, after = tag_format.partition("{version}")
    return "*".join(re.sub(r"([\\*?+\[\]!])", r"\\\1", part) for part in (before, after))


def _regex(tag_format: str) -> str:
    """``v{version}`` -> ``/^v.+$/``: a pattern of tags for other systems."""
    before, _, after = tag_format.partition("{version}")
    return f"/^{_escaped(before)}.+{_escaped(after)}$/"


def _escaped(text: str) -> str:
    return re.escape(text).replace("/", r"\/").replace(r"\-", "-")
