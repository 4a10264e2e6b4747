"""Plain language in messages, docstrings, rules and options, as far as a test can check it."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import crosswheel
from crosswheel.auditing.rules import ALL_RULES
from crosswheel.errors import CrosswheelError
from crosswheel.model.options import options
from crosswheel.model.verbs import VERBS
from crosswheel.reporting.wording import count_text

pytestmark = pytest.mark.no_cover  # it reads our files, and runs next to nothing of them

FOLDER = Path(crosswheel.__file__).parent
CLASSES = {"CrosswheelError", *(kind.__name__ for kind in CrosswheelError.__subclasses__())}
# Beginnings that make a reader search for the noun.
UNCLEAR = re.compile(r"(likewise|whoever|nobody|those (?:of|in|that|who)|what (?:is|was|has|had)\b)", re.IGNORECASE)


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Ours by their paths, parsed by the first test that reads them, not by each process that collects tests."""
    return {str(path.relative_to(FOLDER)): ast.parse(path.read_text("utf-8")) for path in FOLDER.rglob("*.py")}


@pytest.mark.parametrize(("count", "text"), [(0, "0 errors"), (1, "1 error"), (2, "2 errors")])
def test_a_count_agrees_with_its_noun(count: int, text: str) -> None:
    assert count_text(count, "error") == text


def test_no_sentence_begins_with_an_unclear_pronoun() -> None:
    texts = {f"{name}:{line}": text for name, tree in modules().items() for line, text in _docstrings(tree)}
    texts |= {rule.code: text for rule in ALL_RULES for text in (rule.finding().message, rule.why, rule.fix)}
    texts |= {name: option.help for name, option in options().items()}
    texts |= {name: verb.text for name, verb in VERBS.items()}
    assert [where for where, text in texts.items() if UNCLEAR.match(text)] == []


def test_messages_are_clauses_and_agree_in_number() -> None:
    wrong = [
        f"{name}:{line}"
        for name, tree in modules().items()
        for line, text in _messages(tree)
        if (text.endswith(".") and not text.endswith("...")) or re.search(r"there (?:is|are) {count_text", text)
    ]
    assert wrong == []


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node)):
            yield getattr(node, "lineno", 1), text


def _messages(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The literal messages and hints of our errors, with the expressions of f-strings as source."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES:
            for value in (*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "hint")):
                if isinstance(value, (ast.JoinedStr, ast.Constant)):
                    yield node.lineno, ast.unparse(value).lstrip("f").strip("'\"")
