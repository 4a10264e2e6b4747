"""What the docs say is what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from crosswheel import errors

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_were_written_from_what_the_code_says(generate: ModuleType) -> None:
    assert (DOCS / "options.md").read_text() == generate.options_page()
    assert (DOCS / "rules.md").read_text() == generate.rules_page()
    assert (DOCS / "crosswheel.schema.json").read_text() == generate.schema_text()


def test_every_exit_code_is_documented() -> None:
    page = (DOCS / "exit-codes.md").read_text()
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.CrosswheelError):
            assert f"| {kind.exit_code} | `{name}` |" in page


def test_what_pages_import_is_there() -> None:
    pages = [*DOCS.glob("*.md"), DOCS.parent / "README.md"]
    found = {
        line for page in pages for line in re.findall(r"^from crosswheel.* import .+$", page.read_text(), re.MULTILINE)
    }
    assert len(found) > 5
    for line in found:
        exec(line, {})  # noqa: S102 - as its reader would
