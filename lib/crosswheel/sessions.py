"""The nox adapter: `sessions.add()` in a noxfile makes a session for each verb and one for each architecture.

# /// script
# dependencies = ["nox", "crosswheel"]
# ///
from crosswheel import sessions

sessions.add()

Options come from three places: flags after `--` win over keyword arguments here, and these over [tool.crosswheel] in
pyproject.toml. All sessions carry the nox tag `crosswheel`; none of them runs unless it is named. docs/compose.md has
recipes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from crosswheel.model.verbs import VERBS

if TYPE_CHECKING:
    import nox
    from nox._decorators import Func
    from typing_extensions import Unpack

    from crosswheel.auditing.rules.rule import Rule
    from crosswheel.commands.result import Result
    from crosswheel.commands.wheels import Report
    from crosswheel.engines import Engine
    from crosswheel.model.keyword_types import AllOptions, PathText, WheelsOptions
    from crosswheel.steps import Steps, Work

# Written out, for the architectures' table is not read before it is needed; a test holds the two together.
ARCHITECTURES = ("aarch64", "x86_64", "armv7l", "i686", "ppc64le", "s390x", "riscv64")
TAG = "crosswheel"


def add(
    *,
    only: str | Iterable[str] = (),
    prefix: str = "",
    project: PathText = ".",
    steps: Steps[Work] | None = None,
    rules: Iterable[Rule] = (),
    own_engines: Mapping[str, Engine] | None = None,
    **options: Unpack[AllOptions],
) -> None:
    """Make a session for each verb, and `wheels-<arch>` and `wheelhouse-<arch>` for each architecture.

    `only` names the sessions to make, as `nox -l` shows them without the prefix; empty: all. `prefix` is put before
    each name. `project` is the folder whose pyproject.toml counts, relative to the noxfile. `steps` are those of each
    job of `wheels` (None: `crosswheel.steps.MAKE`). `rules` are checked besides the audit's in each session that audits
    wheels. `own_engines` are engines by name (`crosswheel.engines.Engine`), for the options `engine` and `engines`.
    `options` are those of docs/options.md, with underscores; each session uses those of its verb.

    Call it below the noxfile's own sessions. Raises UsageError if the noxfile already has a session of one of the
    names, or if `only` has an unknown name. A session that is defined further below replaces the one made here: nox
    gives a FutureWarning then, and its older releases (2025.2.9) say nothing.
    """
    names = tuple(dict.fromkeys([only] if isinstance(only, str) else only)) or _NAMES
    _refuse_unknown(names)
    _refuse_taken([f"{prefix}{name}" for name in names], 'sessions.add(prefix="cw-"), or only=[...] with other names')
    own = (steps, tuple(rules), own_engines or {})
    for name in names:
        verb, _, arch = name.partition("-")
        _make(f"{prefix}{name}", _Run(verb, project, options, (arch,) if arch else (), *own))


def wheels(
    *architectures: str,
    name: str = "",
    project: PathText = ".",
    source: PathText | None = None,
    before: Callable[[nox.Session], object] | None = None,
    after: Callable[[nox.Session, Report], object] | None = None,
    steps: Steps[Work] | None = None,
    rules: Iterable[Rule] = (),
    own_engines: Mapping[str, Engine] | None = None,
    **options: Unpack[WheelsOptions],
) -> Func:
    """Make one session that builds wheels for these architectures, and return it as `nox.session` does.

    Without `name` it is called `wheels-<arch>`; without an architecture it is called `wheels` and builds for the
    configured ones. `project` is the folder whose pyproject.toml counts, relative to the noxfile; `source` is what to
    build, if that is not the project. `steps`, `rules`, `own_engines` and `options` are as in `add`, all for the verb
    `wheels`. `nox.parametrize` can be put around the session: parameters are options, too.

    `before` is called with the session first. `after` is called with the session and the Report as soon as there is
    one, before the session fails for what the report says (`report.ok`); not after --dry-run or Ctrl-C.

    Raises UsageError if the noxfile already has a session of that name.
    """
    name = name or "-".join(("wheels", *architectures))
    _refuse_taken([name], 'sessions.wheels(..., name="another-name")')
    given = {"source": source, **options}
    return _make(
        name, _Run("wheels", project, given, architectures, steps, tuple(rules), own_engines or {}, before, after)
    )


_NAMES = (*VERBS, *(f"{verb}-{arch}" for verb in ("wheels", "wheelhouse") for arch in ARCHITECTURES))


class _Run(NamedTuple):
    """The settings of a session; its flags must not contradict `arch`, which is in its name."""

    verb: str
    project: PathText
    options: Mapping[str, Any]
    arch: tuple[str, ...]
    steps: Steps[Work] | None
    rules: tuple[Rule, ...]
    engines: Mapping[str, Engine]
    before: Callable[[nox.Session], object] | None = None
    after: Callable[[nox.Session, Report], object] | None = None


def _make(name: str, run: _Run) -> Func:
    import nox

    def session(session: nox.Session, **parameters: Any) -> None:
        _perform(session, run._replace(options={**run.options, **parameters}))

    verb, arch = VERBS[run.verb], run.arch
    session.__doc__ = f"{_OF_ARCHITECTURES[run.verb]} {', '.join(arch)}." if arch else verb.text
    # Steps run in nox's own process: they need no environment besides the noxfile's.
    return nox.session(name=name, default=False, venv_backend="none", tags=[TAG])(session)


_OF_ARCHITECTURES = {
    "wheels": "Build, repair, audit and test wheels for",
    "wheelhouse": "Gather the wheels of a dependency tree, and build those that are missing, for",
}


def _refuse_unknown(names: Iterable[str]) -> None:
    if unknown := [name for name in names if name not in _NAMES]:
        from crosswheel.errors import UsageError
        from crosswheel.model.targets import did_you_mean

        mistakes = [f"only: there is no session {name!r} to make{did_you_mean(name, _NAMES)}" for name in unknown]
        raise UsageError(mistakes, hint=f"names from: {', '.join(_NAMES)}")


def _refuse_taken(names: Iterable[str], way_out: str) -> None:
    from nox import registry

    there = registry.get()
    if taken := [f"{name!r} ({_place_of(there[name])})" for name in names if name in there]:
        from crosswheel.errors import UsageError

        sessions, them = ("a session", "it") if len(taken) == 1 else ("sessions", "them")
        there_already = f"the noxfile already has {sessions} {', '.join(taken)}"
        raise UsageError(f"{there_already}: crosswheel's would replace {them}", hint=way_out)


def _place_of(func: Func) -> str:
    """``noxfile.py:12``: where a session was defined."""
    import inspect

    code = getattr(inspect.unwrap(func.func), "__code__", None)
    if code is None or code.co_filename == __file__:
        return "made by crosswheel.sessions"
    return f"{os.path.relpath(code.co_filename)}:{code.co_firstlineno}"


def _perform(session: nox.Session, run: _Run) -> None:
    from crosswheel.errors import INTERRUPTED, CrosswheelError
    from crosswheel.reporting.untrusted import error_text

    if run.before:
        run.before(session)
    try:
        result = _result(session, run)
    except Exception as error:  # noqa: BLE001 - nox would show what others wrote in it as it stands
        exit_code = error.exit_code if isinstance(error, CrosswheelError) else CrosswheelError.exit_code
        session.error(f"{error_text(error)} (exit code {exit_code})")
    if result.exit_code == INTERRUPTED:
        raise KeyboardInterrupt  # which stops nox too
    if run.after:
        _follow(run.after, session, result)
    if result.exit_code:
        session.error(f"exit code {result.exit_code}")


def _follow(after: Callable[[nox.Session, Report], object], session: nox.Session, result: Result) -> None:
    from crosswheel.commands.wheels import Report

    if isinstance(result, Report) and not result.dry_run:
        after(session, result)


def _result(session: nox.Session, run: _Run) -> Result:
    from crosswheel.commands import perform
    from crosswheel.commands.call import Own
    from crosswheel.errors import explaining
    from crosswheel.model.keywords import of_verb
    from crosswheel.reporting.streams import standard_output

    flags = _flags(session, run)
    own = Own(run.steps, run.rules, run.engines)
    code = of_verb(run.verb, {**run.options, **_named(run)})
    with explaining(), standard_output() as stream:
        return perform(run.verb, Path(run.project), flags, stream, code=code, own=own)


def _named(run: _Run) -> dict[str, Any]:
    """The option that a session has in its name."""
    if not run.arch:
        return {}
    if run.verb != "wheelhouse":
        return {"arch": run.arch}
    from crosswheel.trees.cells import usual_platforms

    return {"platforms": usual_platforms(run.arch)}


def _flags(session: nox.Session, run: _Run) -> dict[str, Any]:
    """Parse the words after the dashes."""
    from shlex import quote

    from crosswheel.errors import UsageError
    from crosswheel.model.flags import parse_flags

    name = quote(session.name)
    try:
        flags = parse_flags(session.posargs, run.verb, name)
    except UsageError as error:
        if len(session._runner.manifest) == 1:  # noqa: SLF001 - nox tells a session nowhere else what runs beside it
            raise
        told = "nox passes the words after -- to every session of a run"
        raise UsageError([*error.mistakes, told], hint=f"run the session alone: nox -s {name} -- ...") from None
    if run.arch and "arch" in flags:
        raise UsageError(
            f"--arch: the session {session.name} is for {', '.join(run.arch)}",
            hint=f"nox -s {name} without --arch, or crosswheel {run.verb} --arch ...",
        )
    return flags
