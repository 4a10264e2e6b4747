"""The base classes of rules."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding, Level
from crosswheel.model.targets import Target


class Worded:
    """The texts of a rule: the docstring is the message, `why` the harm to users, `fix` the remedy."""

    code: ClassVar[str]
    level: ClassVar[Level] = "error"
    why: ClassVar[str]
    fix: ClassVar[str]

    def finding(self, *, member: str = "", found: str = "", expected: str = "") -> Finding:
        """A finding with the rule's message and the evidence of one place."""
        message = " ".join((inspect.getdoc(type(self)) or "").split())
        return Finding(self.code, self.level, message, member, found, expected, self.fix)


class Rule(Worded, ABC):
    """A rule for one wheel: a public base class for own rules."""

    @abstractmethod
    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        """Yield a finding for every violation; `target` is the target it was built for, None if unknown."""
