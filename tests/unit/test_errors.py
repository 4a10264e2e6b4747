from __future__ import annotations

import re

import crosswheel.system.process
from crosswheel import errors
from crosswheel.errors import INTERRUPTED, CrosswheelError, UsageError


def kinds(of: type[CrosswheelError] = CrosswheelError) -> list[type[CrosswheelError]]:
    own = [kind for kind in of.__subclasses__() if kind.__module__ == errors.__name__]
    return [*own, *(special for kind in own for special in kinds(kind))]


def test_every_kind_of_failure_has_an_exit_code_of_its_own() -> None:
    codes = [CrosswheelError.exit_code, *(kind.exit_code for kind in kinds()), INTERRUPTED]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes


def test_every_exit_code_is_documented_where_the_errors_are() -> None:
    documented = dict(re.findall(r"── (\w+) +(\d+) ", errors.__doc__ or ""))
    assert documented == {kind.__name__: str(kind.exit_code) for kind in kinds()}


def test_what_only_flows_inside_has_the_general_code() -> None:
    assert crosswheel.system.process.Stopped.exit_code == crosswheel.system.process.CommandFailed.exit_code == 1


def test_an_error_shows_the_next_command_to_type() -> None:
    assert str(CrosswheelError("it broke", hint="mend it")) == "it broke\n  try: mend it"
    assert str(CrosswheelError("it broke")) == "it broke"


def test_mistakes_are_listed_all_at_once() -> None:
    error = UsageError(["arch: no", "python: no"], hint="docs/options.md")
    assert (error.mistakes, str(error)) == (["arch: no", "python: no"], "arch: no\npython: no\n  try: docs/options.md")
    assert UsageError("one").mistakes == ["one"]
