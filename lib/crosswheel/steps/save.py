"""Put the wheel into the output folder: the very bytes that passed the audit, and no others."""

from __future__ import annotations

from dataclasses import replace

from crosswheel.steps.sequence import step
from crosswheel.steps.work import Work


@step(quiet=True)
def save(work: Work) -> Work:
    """The same work with the saved wheel. Raises AuditFailed for a wheel that no audit has passed as it is now."""
    saved, note = work.output.save(work.wheel, work.job.target, work.passed)
    return replace(work, saved=saved, note=note)
