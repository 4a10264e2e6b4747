"""The step `find`: uses the wheel of an earlier run with the same inputs, if there is one."""

from __future__ import annotations

import shutil
from dataclasses import replace

from crosswheel.steps.sequence import step
from crosswheel.steps.wheelhouse import keep as copy
from crosswheel.steps.work import Work
from crosswheel.system.hashes import sha256_of


@step(needs=["journal"], quiet=True)
def find(work: Work) -> Work:
    """The work with a copy of the journal's wheel, as it was before its audit; unchanged with `--fresh` or `--twice`.

    It is a copy, because a parallel run may replace the entry at any time.
    """
    build = work.config.build
    made = work.journal.find(work.key) if work.key and not (build.fresh or build.twice) else None
    if made is None:
        return work
    try:
        shutil.copyfile(made.log, work.log)
        wheel = copy(made.path, work.folder / "kept")
    except FileNotFoundError:
        return work
    if sha256_of(wheel) != made.sha256:
        return work
    return replace(
        work.with_wheel(wheel), entry=made, found=True, uncompiled=made.uncompiled, requirements=made.requirements
    )
