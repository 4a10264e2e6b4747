"""The step `keep`: stores the audited wheel in the journal for later runs."""

from __future__ import annotations

import time
from dataclasses import replace

from crosswheel.steps.keys import build_key
from crosswheel.steps.sequence import step
from crosswheel.steps.work import Work


@step(needs=["journal"], quiet=True, instead=lambda work: work if work.found or not work.passed else None)
def keep(work: Work) -> Work:
    """The work with its journal entry.

    It has none if the image has no id, if an index did not answer for a build requirement of the target, or if the
    entry cannot be written.
    """
    # The first attempt may have been before the image was pulled.
    key = work.key or build_key(work.job, work.sdist, work.config, work.facts, work.composition)
    if not key or any(requirement.passing for requirement in work.requirements):
        return work
    seconds = time.monotonic() - work.began
    entry = work.journal.keep(
        key, work.job, work.wheel, work.log, seconds, work.usage, work.uncompiled, work.requirements
    )
    return replace(work, key=key, entry=entry)
