"""Take the wheel that an earlier run made of the very same, if there is one."""

from __future__ import annotations

import shutil
from dataclasses import replace

from crosswheel.steps.sequence import step
from crosswheel.steps.wheelhouse import keep as copy
from crosswheel.steps.work import Work
from crosswheel.system.package_index import sha256_of


@step(needs=["journal"], quiet=True)
def find(work: Work) -> Work:
    """The work as it was before its audit, with a copy of the wheel; nothing is taken with `--fresh` or `--twice`.

    A copy, for a run beside this one may replace the entry at any time.
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
    return replace(work.with_wheel(wheel), entry=made, found=True, uncompiled=made.uncompiled)
