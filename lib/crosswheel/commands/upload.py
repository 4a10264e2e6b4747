"""`upload`: send to an index what it lacks of a release."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from crosswheel.config import load_config
from crosswheel.distributions import read_distributions
from crosswheel.errors import explaining
from crosswheel.index import read_pip_settings
from crosswheel.process import Processes
from crosswheel.published import published_files
from crosswheel.report.console import console_for
from crosswheel.report.document import write_json
from crosswheel.report.terminal import display
from crosswheel.report.upload import Sending, upload_document, upload_text
from crosswheel.repositories import find_repository
from crosswheel.steps.upload import compare, in_order, refuse_clashes
from crosswheel.steps.upload import upload as send


@explaining()
def upload(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """One file after the other; with --dry-run the index is asked, and nothing is sent."""
    config = load_config(project, options)
    began = time.monotonic()
    distributions = in_order(read_distributions(config.wheels or (config.output,)), sdist_first=config.sdist_first)
    repository = find_repository(config.repository, config, os.environ)
    settings = read_pip_settings(Processes(), os.environ)
    published = functools.partial(published_files, repository, distributions[0].name, settings)
    if config.dry_run:
        comparison = compare(distributions, published())
        refuse_clashes(repository, comparison)
        sent = comparison.missing
    else:
        with display(stream, os.environ) as listener:
            sent = send(repository, distributions, published, listener, sdist_first=config.sdist_first)
    done = Sending(repository, distributions, sent, dry_run=config.dry_run, seconds=time.monotonic() - began)
    stream.write(upload_text(done, console_for(stream, os.environ)))
    stream.flush()
    if config.json:
        write_json(config.json, upload_document(done))
    return 0
