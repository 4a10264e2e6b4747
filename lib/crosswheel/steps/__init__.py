"""The steps of the three phases: each takes and returns values, prints nothing and is independent of engines.

prepare  once per machine   PREPARE, below
make     once per job       MAKE, below
release  once per release   check, upload, verify
"""

from __future__ import annotations

from crosswheel.steps.audit import audit
from crosswheel.steps.build import build
from crosswheel.steps.find import find
from crosswheel.steps.keep import keep
from crosswheel.steps.machine import Machine
from crosswheel.steps.pull import pull
from crosswheel.steps.rebuild import again
from crosswheel.steps.register import register
from crosswheel.steps.repair import repair
from crosswheel.steps.save import save
from crosswheel.steps.sequence import Step, Steps, step
from crosswheel.steps.test import test
from crosswheel.steps.work import Composition, Work

__all__ = [
    "MAKE", "PREPARE", "Composition", "Machine", "Step", "Steps", "Work",
    "again", "audit", "build", "find", "keep", "pull", "register", "repair", "save", "step", "test",
]  # fmt: skip

PREPARE: Steps[Machine] = Steps((register, pull))
"""A Docker host made ready for builds: it runs the architectures, and it has the images."""

MAKE: Steps[Work] = Steps((find, build, repair, audit, keep, test, again, save))
"""From an sdist to a wheel in the output folder. The steps in front of `audit` are left out once `find` has a wheel."""
