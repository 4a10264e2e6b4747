# /// script
# dependencies = ["nox>=2025.2.9", "crosswheel @ file:."]
# ///
"""The sessions that crosswheel offers, from this very tree, and those that check the tree itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nox

# The block above has nox install this folder, and with it all that pyproject.toml requires. The modules themselves come
# from the tree: what is tried here is what is written here.
sys.path.insert(0, str(Path(__file__).parent / "lib"))

from crosswheel import sessions

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"

sessions.add()

DRIVER = Path("lib", "crosswheel", "toolchains", "driver")
NO_INDEX = "not slow and not containers and not real_indexes and not index"
# One process more than there are processors: tests wait for limits of time, for servers and for the disk, too.
ON_ALL_PROCESSORS = (f"--numprocesses={len(os.sched_getaffinity(0)) + 1}", "--dist=worksteal")


def install_for_tests(session: nox.Session) -> None:
    """What tests need, in an environment where Pythons start fast."""
    session.install("--group", "test", "-e", ".")
    # Tests start Pythons by the hundred. uv installs no bytecode, and where none may be written, as in many images of
    # containers, each of them compiles all that it imports, which takes longer than all it does.
    session.env["PYTHONDONTWRITEBYTECODE"] = None


@nox.session
def lint(session: nox.Session) -> None:
    """ruff, clang-format, mypy --strict and import-linter."""
    session.install("--group", "lint", "-e", ".")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("clang-format", "--dry-run", "--Werror", *map(str, sorted(DRIVER.glob("*/*.[ch]"))))
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """Everything that needs no container engine; what cannot run here says why and counts as skipped.

    With `-- --cov` it is measured, and must reach the floor of pyproject.toml.
    """
    install_for_tests(session)
    session.run("pytest", *ON_ALL_PROCESSORS, *session.posargs)


@nox.session(name="tests-lowest", default=False, python="3.10")
def tests_lowest(session: nox.Session) -> None:
    """With the oldest Python and the lowest versions that pyproject.toml allows; without tests that need an index."""
    if session.venv_backend != "uv":
        session.error("only uv knows how to install the lowest versions: pip install uv")
    session.install("--resolution", "lowest-direct", "--group", "test", "-e", ".[nox]")
    session.env["PYTHONDONTWRITEBYTECODE"] = None
    session.run("python", "tools/lowest.py")
    session.run("pytest", *ON_ALL_PROCESSORS, "-m", NO_INDEX, *session.posargs)


@nox.session(name="tests-slow", default=False)
def tests_slow(session: nox.Session) -> None:
    """Builds of real projects, and whatever else takes minutes: some cases each day, all with `-- --day=all`."""
    install_for_tests(session)
    session.install("--group", "conda")
    session.run("pytest", *ON_ALL_PROCESSORS, "-m", "slow", "--durations=25", *session.posargs)


@nox.session(name="tests-real-indexes", default=False)
def tests_real_indexes(session: nox.Session) -> None:
    """Releases to real package indexes on loopback, pypiserver and devpi-server, with faults in between."""
    install_for_tests(session)
    session.install("--group", "indexes")
    session.run("pytest", "-m", "real_indexes", "tests/real_indexes", *session.posargs)


@nox.session(name="tests-containers", default=False)
@nox.parametrize("which", [nox.param("not binfmt", id="native"), nox.param("binfmt", id="emulated")])
def tests_containers(session: nox.Session, which: str) -> None:
    """On a real Docker Engine with QEMU and a registry, and on podman; as root it starts what is not there."""
    install_for_tests(session)
    session.run("pytest", "-m", f"containers and {which}", "--durations=25", "tests/containers", *session.posargs)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Write the pages and the schema that are derived from the code."""
    session.install("-e", ".")
    session.run("python", "docs/generate.py")


@nox.session(default=False)
def site(session: nox.Session) -> None:
    """Make the documentation site in build/site; a warning, such as a dead link, is an error."""
    session.install("--group", "docs")
    session.run("sphinx-build", "--quiet", "--fail-on-warning", "docs", "build/site")
    session.log("the site is build/site/index.html")


@nox.session(default=False)
def changelog(session: nox.Session) -> None:
    """Join the fragments of changelog.d: shown, or written into CHANGELOG.md as the entry of `-- VERSION`."""
    session.install("--group", "changelog")
    version = ["--yes", "--version", *session.posargs] if session.posargs else ["--draft", "--version", "next"]
    session.run("towncrier", "build", *version)


@nox.session(name="refresh-images", default=False)
def refresh_images(session: nox.Session) -> None:
    """Pin the images that the newest cibuildwheel pins."""
    session.install("-e", ".")
    session.run("python", "tools/refresh_images.py")


@nox.session(name="refresh-actions", default=False)
def refresh_actions(session: nox.Session) -> None:
    """Pin the newest release of each action that generated workflows use, by its commit."""
    session.install("-e", ".")
    session.run("python", "tools/refresh_actions.py")


@nox.session(name="refresh-symbols", default=False)
def refresh_symbols(session: nox.Session) -> None:
    """List what CPythons, C libraries and other libraries export; needs Debian's apt, and some minutes."""
    session.install("-e", ".")
    session.run("python", "tools/refresh_symbols.py")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """The engines beside pip wheel, docker run and cibuildwheel, one table; an hour and a half of a quiet machine."""
    install_for_tests(session)
    session.run("python", "bench/run.py", *session.posargs)


@nox.session(name="bench-audit", default=False)
def bench_audit(session: nox.Session) -> None:
    """The audit beside the other tools that check wheels: who catches which bad wheel, and how long it takes."""
    session.install("--group", "bench", "-e", ".")
    session.run("python", "bench/audit.py", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session(default=False)
def corpus(session: nox.Session) -> None:
    """Real sdists, built natively and for AArch64, run under QEMU and compared; hours, `-- --sample 20` less."""
    install_for_tests(session)
    session.run("python", "-m", "corpus", *session.posargs, env={"PYTHONPATH": "tests"})
