"""The steps of the three phases: each takes and returns values, prints nothing and knows no engine.

prepare  once per machine   register (images are pulled by containers/images.py, as engines ask for them)
make     once per job       build -> repair -> audit -> test (-> again)
release  once per release   check -> upload -> verify
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from crosswheel.steps.audit import audit
from crosswheel.steps.build import build
from crosswheel.steps.repair import repair
from crosswheel.steps.test import test
from crosswheel.steps.work import Work

__all__ = ["Step", "audit", "build", "repair", "test"]

Step: TypeAlias = Callable[[Work], Work]
