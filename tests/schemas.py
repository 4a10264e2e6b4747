"""The schemas of our documents, which the site publishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_DOCS = Path(__file__).parents[1] / "docs"


def schema_of(document: str) -> Any:
    """That of ``report``, ``audit``, ``release`` or ``readiness``."""
    return json.loads((_DOCS / f"{document}.schema.json").read_text("utf-8"))
