"""The step `keep`: stores the audited wheel in the journal for later runs."""

from __future__ import annotations

import time
from dataclasses import replace

from crosswheel.steps.keys import build_key
from crosswheel.steps.sequence import step
from crosswheel.steps.work import Work


@step(needs=["journal"], quiet=True, instead=lambda work: work if work.found or not work.passed else None)
def keep(work: Work) -> Work:
    """The work with its journal entry; without one if the image has no id, or the entry cannot be written."""
    # The first attempt may have been before the image was pulled.
    key = work.key or build_key(work.job, work.sdist, work.config, work.facts, work.composition)
    if not key:
        return work
    seconds = time.monotonic() - work.began
    entry = work.journal.keep(key, work.job, work.wheel, work.log, seconds, work.usage, work.uncompiled)
    return replace(work, key=key, entry=entry)
