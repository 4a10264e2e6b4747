"""The step `keep`: stores the audited wheel in the journal for later runs."""

from __future__ import annotations

import time
from dataclasses import replace

from crosswheel.steps.keys import build_key
from crosswheel.steps.sequence import step
from crosswheel.steps.work import Work


@step(needs=["journal"], quiet=True, instead=lambda work: work if work.found or not work.passed else None)
def keep(work: Work) -> Work:
    """The same work with its entry; without one where the wheel's image cannot be named, or the journal is full."""
    # The first look may have been before the image was there.
    key = work.key or build_key(work.job, work.sdist, work.config, work.facts, work.composition)
    if not key:
        return work
    seconds = time.monotonic() - work.began
    entry = work.journal.keep(key, work.job, work.wheel, work.log, seconds, work.usage, work.uncompiled)
    return replace(work, key=key, entry=entry)
