"""What a rule is."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding, Level
from crosswheel.model.targets import Target


class Worded:
    """What every rule says of itself: the docstring is the message, `why` the harm, `fix` the way out."""

    code: ClassVar[str]
    level: ClassVar[Level] = "error"
    why: ClassVar[str]
    fix: ClassVar[str]

    def finding(self, *, member: str = "", found: str = "", expected: str = "") -> Finding:
        """The rule's own words with the evidence of one place."""
        message = " ".join((inspect.getdoc(type(self)) or "").split())
        return Finding(self.code, self.level, message, member, found, expected, self.fix)


class Rule(Worded, ABC):
    """One thing that can be wrong with a wheel."""

    @abstractmethod
    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        """Every place where the wheel breaks the rule; `target` is what it was built for, where that is known."""
