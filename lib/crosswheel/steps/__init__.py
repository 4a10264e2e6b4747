"""The steps of the three phases: each takes and returns values, prints nothing and is independent of engines.

prepare  once per machine   register, pull
make     once per job       MAKE, below
release  once per release   check, upload, verify
"""

from __future__ import annotations

from crosswheel.steps.audit import audit
from crosswheel.steps.build import build
from crosswheel.steps.find import find
from crosswheel.steps.keep import keep
from crosswheel.steps.rebuild import again
from crosswheel.steps.repair import repair
from crosswheel.steps.save import save
from crosswheel.steps.sequence import Step, Steps, step
from crosswheel.steps.test import test
from crosswheel.steps.work import Composition, Work

__all__ = [
    "MAKE", "Composition", "Step", "Steps", "Work",
    "again", "audit", "build", "find", "keep", "repair", "save", "step", "test",
]  # fmt: skip

MAKE: Steps[Work] = Steps((find, build, repair, audit, keep, test, again, save))
"""From an sdist to a wheel in the output folder. The steps in front of `audit` are left out once `find` has a wheel."""
