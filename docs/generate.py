"""Writes what is derived from data/options.toml: docs/options.md and docs/crosswheel.schema.json."""

from __future__ import annotations

import json
from pathlib import Path

from crosswheel.config import Option, json_schema, options

_HEAD = """# Options

Every option, as `[tool.crosswheel]` in pyproject.toml and as a flag (`nox -s wheels-aarch64 -- --policy X`,
`invoke wheels --policy X`, `crosswheel wheels --policy X`). A flag wins over the file; as a flag, a list is written
with commas. This page and [crosswheel.schema.json](crosswheel.schema.json), for editors, are written by `nox -s docs`.

| option | where | default | what it does |
|---|---|---|---|
"""
_WHERE = {"both": "file, flag", "flag": "flag", "file": "file"}


def options_page() -> str:
    return _HEAD + "".join(_row(option) for option in options().values())


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2) + "\n"


def _row(option: Option) -> str:
    default = json.dumps(option.default)
    return f"| `{option.name}` | {_WHERE[option.where]} | `{default}` | {option.help} |\n"


if __name__ == "__main__":
    here = Path(__file__).parent
    (here / "options.md").write_text(options_page())
    (here / "crosswheel.schema.json").write_text(schema_text())
