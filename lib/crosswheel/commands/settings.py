"""What the caller wants: pyproject.toml under the options that were given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crosswheel.model.config import Config
from crosswheel.model.config_reader import load_config


def settings(project: Path, options: Mapping[str, Any]) -> Config:
    """Raises UsageError with every mistake in it."""
    return load_config(project, options, _rule_codes)


def _rule_codes() -> tuple[str, ...]:
    from crosswheel.audit.rules import ALL_RULES

    return tuple(rule.code for rule in ALL_RULES)
