"""The nox adapter: `sessions.add()` in a noxfile makes a session for each verb and one for each architecture.

# /// script
# dependencies = ["nox", "crosswheel"]
# ///
from crosswheel import sessions

sessions.add()

Options come from three places: flags after `--` win over keyword arguments here, and these over [tool.crosswheel] in
pyproject.toml. All sessions carry the nox tag `crosswheel`; none of them runs unless it is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crosswheel.model.verbs import VERBS

if TYPE_CHECKING:
    import nox
    from nox._decorators import Func

# Written out, for the architectures' table is not read before it is needed; a test holds the two together.
ARCHITECTURES = ("aarch64", "x86_64", "armv7l", "i686", "ppc64le", "s390x", "riscv64")
TAG = "crosswheel"


def add(*, only: Iterable[str] = (), prefix: str = "", **options: Any) -> None:
    """Make a session for each verb, and `wheels-<arch>` for each architecture.

    `only` names the sessions to make, as `nox -l` shows them without the prefix; empty: all. `prefix` is put before
    each name. `options` are the options of docs/options.md, with underscores; each session hears those of its verb.

    Call it below the noxfile's own sessions. Raises UsageError where the noxfile already has a session of one of the
    names, and where `only` has an unknown name. A session that is defined further below replaces the one made here:
    nox gives a FutureWarning then (a nox older than 2025.10 says nothing).
    """
    architectures = {f"wheels-{arch}": arch for arch in ARCHITECTURES}
    names = tuple(only) or (*VERBS, *architectures)
    _refuse_unknown(names, (*VERBS, *architectures))
    _refuse_taken([f"{prefix}{name}" for name in names], 'sessions.add(prefix="cw-"), or only=[...] with other names')
    for name in names:
        if name in VERBS:
            _make(f"{prefix}{name}", name, VERBS[name].text, options)
        else:
            _make_wheels(f"{prefix}{name}", (architectures[name],), options)


def wheels(*arch: str, name: str = "", **options: Any) -> Func:
    """Make one session that builds wheels for the architectures, and return it as `nox.session` would.

    Without `name`, it is called `wheels-<arch>`, or `wheels` where no architecture is given: then it builds for those
    that are configured. `options` are those of the verb `wheels`, with underscores. The parameters of a
    `nox.parametrize` around the session are options, too.

    Raises UsageError where the noxfile already has a session of that name.
    """
    name = name or "-".join(("wheels", *arch))
    _refuse_taken([name], 'sessions.wheels(..., name="another-name")')
    return _make_wheels(name, arch, options)


def _make_wheels(name: str, arch: tuple[str, ...], options: Mapping[str, Any]) -> Func:
    text = f"Build, repair, audit and test wheels for {', '.join(arch)}." if arch else VERBS["wheels"].text
    return _make(name, "wheels", text, options, {"arch": list(arch)} if arch else {})


def _make(name: str, verb: str, text: str, options: Mapping[str, Any], fixed: Mapping[str, Any] | None = None) -> Func:
    """The session; `fixed` options are in its name, and no flag may say otherwise."""
    import nox

    def session(session: nox.Session, **parameters: Any) -> None:
        _run(session, verb, {**options, **parameters}, fixed or {})

    session.__doc__ = text
    # Steps run in nox's own process: they need no environment besides the noxfile's.
    return nox.session(name=name, default=False, venv_backend="none", tags=[TAG])(session)


def _refuse_unknown(names: Iterable[str], known: tuple[str, ...]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        from crosswheel.errors import UsageError
        from crosswheel.model.targets import did_you_mean

        mistakes = [f"only: there is no session {name!r} to make{did_you_mean(name, known)}" for name in unknown]
        raise UsageError(mistakes, hint=f"names from: {', '.join(known)}")


def _refuse_taken(names: Iterable[str], way_out: str) -> None:
    from nox import registry

    there = registry.get()
    taken = [f"{name!r} ({_place_of(there[name])})" for name in names if name in there]
    if taken:
        from crosswheel.errors import UsageError

        sessions, them = ("a session", "it") if len(taken) == 1 else ("sessions", "them")
        there_already = f"the noxfile already has {sessions} {', '.join(taken)}"
        raise UsageError(f"{there_already}: crosswheel's would replace {them}", hint=way_out)


def _place_of(func: Func) -> str:
    """``noxfile.py:12``: where a session was defined."""
    import inspect
    import os

    code = getattr(inspect.unwrap(func.func), "__code__", None)
    if code is None or code.co_filename == __file__:
        return "made by crosswheel.sessions"
    return f"{os.path.relpath(code.co_filename)}:{code.co_firstlineno}"


def _run(session: nox.Session, verb: str, options: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    from crosswheel.commands import run_verb
    from crosswheel.errors import INTERRUPTED, CrosswheelError, explaining
    from crosswheel.report.streams import standard_output
    from crosswheel.report.untrusted import error_text

    _quieten_libraries()
    try:
        values = {**{name.replace("_", "-"): value for name, value in options.items()}, **_flags(session, verb, fixed)}
        with explaining(), standard_output() as stream:
            code = run_verb(verb, Path(), {**values, **fixed}, stream)
    except Exception as error:  # noqa: BLE001 - nox would show what others wrote in it as it stands
        exit_code = error.exit_code if isinstance(error, CrosswheelError) else CrosswheelError.exit_code
        session.error(f"{error_text(error)} (exit code {exit_code})")
    if code == INTERRUPTED:
        raise KeyboardInterrupt  # which stops nox too
    if code:
        session.error(f"exit code {code}")


def _flags(session: nox.Session, verb: str, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """What was given after the dashes."""
    from shlex import quote

    from crosswheel.errors import UsageError
    from crosswheel.model.flags import parse_flags

    name = quote(session.name)
    try:
        given = parse_flags(session.posargs, verb, name)
    except UsageError as error:
        if len(session._runner.manifest) == 1:  # noqa: SLF001 - nox tells a session nowhere else what runs beside it
            raise
        told = "nox gives the words after -- to every session of a run"
        raise UsageError([*error.mistakes, told], hint=f"run it by itself: nox -s {name} -- ...") from None
    if twice := sorted(given.keys() & fixed):
        raise UsageError(
            f"--{twice[0]}: the session {session.name} is for {', '.join(fixed[twice[0]])}",
            hint=f"nox -s {name} without --{twice[0]}, or crosswheel {verb} --{twice[0]} ...",
        )
    return given


def _quieten_libraries() -> None:
    """Nox shows every logger's every word; what our libraries tell of their inner life is not for its users."""
    import logging

    for name in ("auditwheel", "build", "docker", "filelock", "keyring", "paramiko", "urllib3"):
        logging.getLogger(name).setLevel(logging.ERROR)
