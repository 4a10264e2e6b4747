"""`audit`: check wheels of any builder, for any architecture, one by one and as a set."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.auditing import run as audits
from crosswheel.auditing.rules.purity import not_compiled
from crosswheel.auditing.rules.rule import Rule
from crosswheel.auditing.rules.wheelhouse import Entry, Wheelhouse
from crosswheel.auditing.run import Audit, audit_files, audit_together, switched_off, unreadable
from crosswheel.commands.call import Call, Own, from_code, public
from crosswheel.commands.result import Result
from crosswheel.errors import AuditFailed, NothingToDo, SourceError, UsageError
from crosswheel.formats.build_reports import read_lacking
from crosswheel.formats.distributions import files_in, is_folder
from crosswheel.formats.sdists import member_names
from crosswheel.model.config import Config
from crosswheel.model.job import Artifact, Finding, Listener, counted
from crosswheel.model.pyproject import project_name
from crosswheel.model.targets import Target, python_tags
from crosswheel.pipeline.plan import promised_targets
from crosswheel.reporting.audit import audit_document, audit_text, rules_document, rules_text
from crosswheel.reporting.document import Document
from crosswheel.reporting.sarif import sarif_document

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import AuditOptions, Paths, PathText


@dataclass(frozen=True)
class AuditReport(Result, audits.AuditReport):
    """The findings of an audit: `.audits` per file, `.together` about the set of files, `.findings` all of them."""

    folders: tuple[Path, ...] = ()
    """The folders that were audited as a whole."""
    rules: bool = False
    """True for `--rules`: nothing is audited, the rules are shown."""

    @property
    def wheels(self) -> tuple[Artifact, ...]:
        """The wheels without an error."""
        return tuple(audit.wheel for audit in self.audits if audit.wheel and audit.wheel.tag and audit.passed)

    @property
    def exit_code(self) -> int:
        return AuditFailed.exit_code if any(finding.is_error for finding in self.findings) else 0

    def document(self) -> Document:
        return rules_document(self.own_rules) if self.rules else audit_document(self)

    def sarif(self) -> Document | None:
        return None if self.rules else sarif_document(self, self.folders)

    def text(self, console: Console | None = None) -> str:
        return rules_text(self.own_rules, console) if self.rules else audit_text(self, console)


@public
def audit(
    wheels: Paths | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    rules: Iterable[Rule] | bool = (),
    **options: Unpack[AuditOptions],
) -> AuditReport:
    """Check wheels, one by one and as a set. Runs, changes and fetches nothing.

    `wheels` are wheels, sdists and folders of them; default: the output folder. `project` is the folder whose
    pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`) while it works. `rules` are own
    rules, checked beside the audit's; True lists all rules and audits nothing.

    Returns an AuditReport: `.findings`, `.audits` (one for each file), `.wheels` (those without an error), `.ok`,
    `.exit_code`, `.document()` (what --json writes), `.sarif()`; str() is the text.
    Raises UsageError for wrong options and files that are not there, NothingToDo where there is no wheel.
    """
    own, listed = ((), rules) if isinstance(rules, bool) else (tuple(rules), False)
    return from_code(run, "audit", project, listener, {"wheels": wheels, "rules": listed, **options}, Own(rules=own))


@dataclass(frozen=True)
class _Chosen:
    """The files to audit; `folders` are audited as a whole."""

    wheels: tuple[Path, ...]
    sdists: tuple[Path, ...]
    folders: tuple[Path, ...]


def run(call: Call) -> AuditReport:
    config = call.config
    if config.audit.rules:
        return AuditReport((), own_rules=call.own.rules, rules=True)
    chosen = _choose(config)
    began = time.monotonic()
    told = _with_lacking(audited(chosen.wheels, call), config.audit.ignore)
    sdists = tuple(audit_sdists(chosen.sdists, config.audit.ignore))
    wheelhouse = replace(_wheelhouse(chosen, told, config, call.project), sources=sources_of(sdists))
    return AuditReport(
        audits=(*told, *(sdist for sdist in sdists if sdist.findings)),
        sdists=chosen.sdists,
        together=audit_together(wheelhouse, config.audit.ignore),
        seconds=time.monotonic() - began,
        own_rules=call.own.rules,
        folders=chosen.folders,
    )


def audited(wheels: Sequence[Path], call: Call) -> Iterator[Audit]:
    """Yield one audit per wheel, in the given order, and report the progress to the listener."""
    config = call.config
    reading = audit_files(wheels, config.audit.ignore, config.build.jobs, config.audit.exclude, call.own.rules)
    with closing(reading) as under_way:
        yield from counted(under_way, "auditing", len(wheels), call.listener)


def _choose(config: Config) -> _Chosen:
    """The named files, each once; of a folder, the files that an upload would take."""
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
    """Add the extensions that the build report beside a wheel lists as not compiled."""
    told = functools.cache(read_lacking)
    return tuple(
        replace(audit, findings=(*switched_off(map(not_compiled, lacking), ignore), *audit.findings))
        if audit.wheel and (lacking := told(audit.path.parent).get(audit.wheel.sha256))
        else audit
        for audit in audits
    )


def audit_sdists(sdists: Iterable[Path], ignore: Mapping[str, str]) -> Iterator[Audit]:
    """Whether each can be read to its last byte, and the names of its members."""
    for path in sdists:
        began = time.monotonic()
        found: tuple[Finding, ...] = ()
        names: Iterable[str] = ()
        try:
            names = member_names(path, whole=True)
        except (SourceError, OSError) as error:
            found = switched_off([unreadable(str(error))], ignore)
        yield Audit(path, found, time.monotonic() - began, names=frozenset(names))


def sources_of(told: Iterable[Audit]) -> dict[str, frozenset[str]]:
    """The names of members of each sdist, by its file name."""
    return {audit.path.name: audit.names for audit in told if audit.names}


def _wheelhouse(chosen: _Chosen, audits: Sequence[Audit], config: Config, project: Path) -> Wheelhouse:
    """Missing wheels are only reported for whole folders."""
    entries = tuple(audit.entry for audit in audits if audit.entry)
    sdists = tuple(path.name for path in chosen.sdists)
    if not chosen.folders:
        return Wheelhouse(entries, sdists or None)
    return Wheelhouse(entries, sdists, targets_of(entries, config, project))


def targets_of(entries: Sequence[Entry], config: Config, project: Path) -> tuple[Target, ...]:
    """The targets of the project's configuration; without `python`, those Pythons that any of the wheels supports.

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
