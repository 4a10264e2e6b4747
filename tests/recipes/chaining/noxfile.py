from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import nox

from crosswheel import sessions

if TYPE_CHECKING:  # its import takes longer than `nox -l`
    from crosswheel import Report


def clean(session: nox.Session) -> None:
    rmtree("wheelhouse", ignore_errors=True)
    session.log("wheelhouse is empty")


def list_wheels(session: nox.Session, report: Report) -> None:
    Path("WHEELS.txt").write_text("".join(f"{Path(wheel).name}\n" for wheel in report.wheels))
    session.notify("audit", posargs=["wheelhouse"])


sessions.add(only=["audit"])
sessions.wheels("aarch64", name="arm", before=clean, after=list_wheels)
