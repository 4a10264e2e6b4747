"""The step `again`: builds the wheel a second time, separately, and compares the two."""

from __future__ import annotations

import shutil
from dataclasses import replace

from crosswheel.errors import AuditFailed
from crosswheel.formats.zips import Unreadable
from crosswheel.steps.sequence import step
from crosswheel.steps.work import Work
from crosswheel.system.scratch import scratch_folder


@step(instead=lambda work: None if work.config.build.twice else work)
def again(work: Work) -> Work:
    """The work with the differences of a second wheel, which is kept in ``again/`` if there are any.

    Raises like `build` and `repair`.
    """
    # Imported here, because every run imports the steps, but few build twice.
    from crosswheel.formats.wheel_diff import compare_wheels

    job, first = replace(work.job, following=None), work.workspace
    config = replace(work.config, build=replace(work.config.build, fresh=True))
    engine = work.composition.engines[job.engine]
    log = first.log.with_suffix(".again.log")
    log.write_bytes(b"")
    # A name as long as the first one's, so that a longer path does not move content of binaries.
    with (
        scratch_folder(f"{work.sdist.name}_{job.target}") as folder,
        engine.open(job, work.sdist, config, work.services, folder, log, bare=work.bare) as workspace,
    ):
        again = replace(
            work, job=job, config=config, folder=folder.parent, log=log, opened=workspace, file=None, parsed=None
        )
        for make in work.composition.before_audit:
            again = make(again)
        second = again.wheel
        try:
            differences = compare_wheels(work.wheel, second, first.root, workspace.root)
        except Unreadable as error:  # the second wheel was not audited
            raise AuditFailed(f"a second {second.name} cannot be read: {error}", hint=f"less {log}") from error
        if differences:
            kept = work.config.output.folder / "again"
            kept.mkdir(exist_ok=True)
            shutil.copyfile(second, kept / second.name)
    return replace(work, differences=differences)
