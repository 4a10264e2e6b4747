"""`audit`: wheels of any builder, for any architecture, and what they are together."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from crosswheel.audit.rules.wheelhouse import Entry, Wheelhouse
from crosswheel.audit.run import Audit, AuditReport, audit_files, audit_together, switched_off, unreadable
from crosswheel.commands.settings import settings
from crosswheel.errors import AuditFailed, NothingToDo, SourceError, UsageError, explaining
from crosswheel.formats.build_reports import read_lacking
from crosswheel.formats.distributions import files_in, is_folder
from crosswheel.formats.sdists import member_names
from crosswheel.model.config import Config
from crosswheel.model.pyproject import project_name
from crosswheel.model.targets import Target, python_tags
from crosswheel.pipeline.plan import promised_targets
from crosswheel.report.audit import audit_document, audit_text, in_progress, rules_document, rules_text
from crosswheel.report.console import console_for
from crosswheel.report.document import write_json
from crosswheel.report.sarif import sarif_document
from crosswheel.steps.audit import not_compiled


@dataclass(frozen=True)
class _Chosen:
    """The files that an audit is about; `folders` are those of which it is to have all."""

    wheels: tuple[Path, ...]
    sdists: tuple[Path, ...]
    folders: tuple[Path, ...]


@explaining()
def audit(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Show what is wrong with each wheel and with all of them together; nothing is run, changed or fetched."""
    config = settings(project, options)
    if config.audit.rules:
        return _rules(config, stream)
    chosen = _choose(config)
    began = time.monotonic()
    with closing(audit_files(chosen.wheels, config.audit.ignore, config.build.jobs)) as under_way:
        audits = _with_lacking(in_progress(under_way, len(chosen.wheels), stream, os.environ), config.audit.ignore)
    wheelhouse = _wheelhouse(chosen, audits, config, project)
    done = AuditReport(
        audits=(*audits, *broken_sdists(chosen.sdists, config.audit.ignore)),
        sdists=chosen.sdists,
        together=audit_together(wheelhouse, config.audit.ignore),
        seconds=time.monotonic() - began,
    )
    stream.write(audit_text(done, console_for(stream, os.environ)))
    stream.flush()
    if config.output.json:
        write_json(config.output.json, audit_document(done))
    if config.output.sarif:
        write_json(config.output.sarif, sarif_document(done, chosen.folders))
    return AuditFailed.exit_code if any(finding.is_error for finding in done.findings) else 0


def _rules(config: Config, stream: TextIO) -> int:
    stream.write(rules_text(console_for(stream, os.environ)))
    if config.output.json:
        write_json(config.output.json, rules_document())
    return 0


def _choose(config: Config) -> _Chosen:
    """What was named, each file once; of folders, what an upload of them would take."""
    named = config.output.files
    if missing := [path for path in named if not path.exists() and not path.is_symlink()]:
        if not config.output.wheels:
            raise NothingToDo(f"there is no folder {config.output.folder}", hint="crosswheel audit WHEELS")
        raise UsageError([f"there is no file or folder {path}" for path in missing], hint="crosswheel audit WHEELS")
    folders = tuple(filter(is_folder, named))
    for folder in folders:
        if not any(folder.glob("*.whl")):
            raise NothingToDo(f"there is no wheel in {folder}", hint="crosswheel audit WHEELS, or a folder of them")
    chosen = files_in(named)
    sdists = tuple(path for path in chosen if path.name.endswith(".tar.gz"))
    wheels = tuple(path for path in chosen if path not in sdists)
    if not wheels:
        raise NothingToDo("there is no wheel among these files", hint="crosswheel audit WHEELS, or a folder of them")
    return _Chosen(wheels, sdists, folders)


def _with_lacking(audits: Iterable[Audit], ignore: Mapping[str, str]) -> tuple[Audit, ...]:
    """With what the build of a wheel wrote into the report beside it, and the wheel alone does not show."""
    told = functools.cache(read_lacking)
    return tuple(
        replace(audit, findings=(*switched_off(map(not_compiled, lacking), ignore), *audit.findings))
        if audit.wheel and (lacking := told(audit.path.parent).get(audit.wheel.sha256))
        else audit
        for audit in audits
    )


def broken_sdists(sdists: Iterable[Path], ignore: Mapping[str, str]) -> Iterator[Audit]:
    for path in sdists:
        began = time.monotonic()
        try:
            member_names(path)
        except (SourceError, OSError) as error:
            yield Audit(path, switched_off([unreadable(str(error))], ignore), time.monotonic() - began)


def _wheelhouse(chosen: _Chosen, audits: Sequence[Audit], config: Config, project: Path) -> Wheelhouse:
    """What is missing is judged in whole folders only: who picks files by hand has picked."""
    entries = tuple(audit.entry for audit in audits if audit.entry)
    sdists = tuple(path.name for path in chosen.sdists)
    if not chosen.folders:
        return Wheelhouse(entries, sdists or None)
    return Wheelhouse(entries, sdists, targets_of(entries, config, project))


def targets_of(entries: Sequence[Entry], config: Config, project: Path) -> tuple[Target, ...]:
    """What the project's configuration promises; where it names no Python, each that any of the wheels is for.

    Nothing of other projects, nor where the wheels do not agree on the Pythons that they require: rules of their own
    say so.
    """
    if {entry.name for entry in entries} != {project_name(project)}:
        return ()
    requires = {text for entry in entries for text in entry.fields.get("Requires-Python", [""])}
    named = {name for entry in entries for tag in entry.tags for name in (tag.abi, tag.interpreter)}
    seen = [tag for tag in python_tags() if str(tag) in named]
    try:
        return promised_targets(config, requires.pop(), seen) if len(requires) == 1 else ()
    except SourceError:
        return ()
