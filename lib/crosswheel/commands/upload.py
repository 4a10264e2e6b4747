"""`upload`: send to an index what it lacks of a release."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

from crosswheel.audit.run import audit_files
from crosswheel.commands.check import refuse_changed
from crosswheel.commands.settings import settings
from crosswheel.errors import AuditFailed, explaining
from crosswheel.formats.distributions import Distribution, read_distributions
from crosswheel.model.config import Config
from crosswheel.release.comparison import Sent, compare, in_order, refuse_clashes
from crosswheel.release.published import published_files
from crosswheel.release.repositories import find_repository
from crosswheel.report.audit import in_progress
from crosswheel.report.console import console_for
from crosswheel.report.document import write_json
from crosswheel.report.run import display
from crosswheel.report.untrusted import one_line
from crosswheel.report.upload import Sending, upload_document, upload_text
from crosswheel.steps.upload import upload as send
from crosswheel.system.package_index import read_pip_settings
from crosswheel.system.process import Processes


@explaining()
def upload(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """One file after the other; with --dry-run the index is asked, and nothing is sent."""
    config = settings(project, options)
    began = time.monotonic()
    distributions = in_order(
        read_distributions(config.output.wheels or (config.output.folder,)), sdist_first=config.release.sdist_first
    )
    repository = find_repository(
        config.release.repository, config, os.environ, read_pip_settings(Processes(), os.environ)
    )
    _refuse_bad_wheels(distributions, config, stream)
    published = functools.partial(published_files, repository, distributions[0].name)
    if config.output.dry_run:
        comparison = compare(distributions, published())
        refuse_clashes(repository, comparison)
        sent = Sent(comparison.missing)
    else:
        with display(stream, os.environ) as listener:
            sent = send(
                repository,
                distributions,
                published,
                listener,
                sdist_first=config.release.sdist_first,
                patience=config.release.patience,
            )
    done = Sending(repository, distributions, sent, dry_run=config.output.dry_run, seconds=time.monotonic() - began)
    stream.write(upload_text(done, console_for(stream, os.environ)))
    stream.flush()
    if config.output.json:
        write_json(config.output.json, upload_document(done))
    return 0


def _refuse_bad_wheels(distributions: Sequence[Distribution], config: Config, stream: TextIO) -> None:
    """What the audit would have told before cannot be taken back once it was sent.

    Raises AuditFailed, CheckFailed.
    """
    wheels = [distribution.path for distribution in distributions if distribution.kind == "wheel"]
    with closing(audit_files(wheels, config.audit.ignore, config.build.jobs)) as under_way:
        audits = list(in_progress(under_way, len(wheels), stream, os.environ))
    refuse_changed(distributions, audits)
    bad = [audit.path for audit in audits if any(finding.is_error for finding in audit.findings)]
    if bad:
        names = ", ".join(one_line(path.name) for path in bad)
        raise AuditFailed(
            f"nothing was sent: the audit finds errors in {names}",
            hint=f"crosswheel audit {' '.join(map(str, bad))}",
        )
