"""The step `save`: puts the wheel into the output folder, exactly as it passed the audit."""

from __future__ import annotations

from dataclasses import replace

from crosswheel.steps.sequence import step
from crosswheel.steps.work import Work


@step(quiet=True)
def save(work: Work) -> Work:
    """The work with the saved wheel. Raises AuditFailed if these bytes have not passed an audit."""
    saved, note = work.output.save(work.wheel, work.job.target, work.passed)
    return replace(work, saved=saved, note=note)
