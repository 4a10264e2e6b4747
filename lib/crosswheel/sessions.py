"""The nox adapter: `sessions.add()` in a noxfile gives it a session per verb, and wheels-<arch>.

# /// script
# dependencies = ["nox", "crosswheel"]
# ///
from crosswheel import sessions

sessions.add()
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from crosswheel.model.verbs import VERBS

if TYPE_CHECKING:
    import nox

# Written out, for the architectures' table is not read before it is needed; a test holds the two together.
ARCHITECTURES = ("aarch64", "x86_64", "armv7l", "i686", "ppc64le", "s390x", "riscv64")


def add() -> None:
    """Register every session; none runs unless it is named."""
    for verb, (text, _) in VERBS.items():
        _add(verb, text)
    for arch in ARCHITECTURES:
        _add("wheels", f"Build, repair, audit and test wheels for {arch}.", arch=arch)


def _add(verb: str, text: str, arch: str = "") -> None:
    import nox

    def session(session: nox.Session) -> None:
        _run(session, verb, {"arch": [arch]} if arch else {})

    session.__doc__ = text
    name = f"{verb}-{arch}" if arch else verb
    # Steps run in nox's own process: they need no environment besides the noxfile's.
    nox.session(name=name, default=False, venv_backend="none")(session)


def _run(session: nox.Session, verb: str, fixed: dict[str, Any]) -> None:
    from crosswheel.commands import run_verb
    from crosswheel.errors import INTERRUPTED, CrosswheelError, explaining
    from crosswheel.report.streams import standard_output
    from crosswheel.report.untrusted import error_text

    _quieten_libraries()
    try:
        options = _options(session, verb, fixed)
        with explaining(), standard_output() as stream:
            code = run_verb(verb, Path(), options, stream)
    except Exception as error:  # noqa: BLE001 - nox would show what others wrote in it as it stands
        exit_code = error.exit_code if isinstance(error, CrosswheelError) else CrosswheelError.exit_code
        session.error(f"{error_text(error)} (exit code {exit_code})")
    if code == INTERRUPTED:
        raise KeyboardInterrupt  # which stops nox too
    if code:
        session.error(f"exit code {code}")


def _options(session: nox.Session, verb: str, fixed: dict[str, Any]) -> dict[str, Any]:
    """What was given after the dashes, and what the session's name says."""
    from crosswheel.errors import UsageError
    from crosswheel.model.flags import parse_flags

    given = parse_flags(session.posargs, verb, session.name)
    if twice := sorted(given.keys() & fixed):
        raise UsageError(f"the session's name says --{twice[0]} already", hint=f"nox -s {verb} -- --{twice[0]} ...")
    return {**given, **fixed}


def _quieten_libraries() -> None:
    """Nox shows every logger's every word; what our libraries tell of their inner life is not for its users."""
    import logging

    for name in ("auditwheel", "build", "docker", "filelock", "keyring", "paramiko", "urllib3"):
        logging.getLogger(name).setLevel(logging.ERROR)
