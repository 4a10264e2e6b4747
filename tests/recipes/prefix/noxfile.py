import nox

from crosswheel import sessions


@nox.session(venv_backend="none")
def release(session: nox.Session) -> None:
    """Tell the team, then build what is released."""
    session.log("a release of this project begins")
    session.notify("cw-wheels-aarch64")


sessions.add(prefix="cw-")
