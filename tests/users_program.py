"""What a user of the library writes; mypy --strict reads it with the other files, and test_public runs it."""

from __future__ import annotations

from pathlib import Path

import crosswheel as cw


def build(source: Path, output: Path) -> cw.Report:
    """The two lines that a program begins with."""
    plan: cw.Plan = cw.plan(
        source,
        arch="aarch64",
        python=["cp312", "cp313"],
        engine="cross",
        test="never",
        download_python="never",
        docker_host="unix:///nonexistent",
        environment={"TINY": "1"},
        ignore={"W302": "a launcher loads it"},
        output=output,
    )
    assert [job.target.python.minor for job in plan.jobs] == [12, 13]
    return cw.wheels(plan, jobs=1)


def prove(report: cw.Report) -> cw.AuditReport:
    """What came out can be handed on as it is."""
    paths = [wheel.path.name for wheel in report.wheels]
    found: cw.AuditReport = cw.audit(report.wheels, jobs=1, json=report.wheels[0].path.with_name("audit.json"))
    assert sorted(audit.path.name for audit in found.audits) == sorted(paths)
    return found


def send(report: cw.Report, told: list[str]) -> cw.UploadReport | cw.CrosswheelError:
    """Progress comes as events; what prevents a result is raised."""

    def listen(event: cw.Event) -> None:
        told.append(type(event).__name__)

    try:
        address = "http://127.0.0.1:9/"
        # Named, so that the index is asked only after the audit.
        index = {address: f"{address}simple/"}
        return cw.upload(report.wheels, repository=address, index=index, dry_run=True, jobs=1, listener=listen)
    except cw.CrosswheelError as error:
        return error
