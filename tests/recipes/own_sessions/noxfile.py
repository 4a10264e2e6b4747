import nox

from crosswheel import sessions


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """Run the project's tests."""
    session.run("python", "-m", "unittest", "-v", *session.posargs)


sessions.add(only=["plan", "wheels-aarch64", "audit"])
