"""Wheels for every Linux architecture from one machine: nox sessions, invoke tasks, functions, and the steps of each.

    import crosswheel as cw

    plan = cw.plan(".", arch="aarch64", python=["cp312", "cp313"])  # print(plan) shows the table
    report = cw.wheels(plan)
    if report.ok:
        cw.upload(report.wheels, repository="testpypi")

Each verb is a function: options are keyword arguments, all of options.toml; what was found or made comes back as a
frozen value with `.ok`, `.exit_code` and `.document()`, whose str() is the text for people. CrosswheelError is raised
for what prevents a result. Nothing is printed. help(crosswheel.wheels) lists its options.

`crosswheel.sessions.add()` in a noxfile and `crosswheel.tasks.namespace` in a tasks file offer the same verbs.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import takes longer than all of this
if TYPE_CHECKING:
    from crosswheel.commands.accelerate import AccelerateReport, accelerate
    from crosswheel.commands.audit import AuditReport, audit
    from crosswheel.commands.cache import CacheReport, cache
    from crosswheel.commands.certificates import CertificatesReport, certificates
    from crosswheel.commands.check import CheckReport, check
    from crosswheel.commands.ci import CIReport, ci
    from crosswheel.commands.conda import CondaReport, conda
    from crosswheel.commands.doctor import DoctorReport, doctor
    from crosswheel.commands.plan import Plan, plan
    from crosswheel.commands.pull import PullReport, pull
    from crosswheel.commands.readiness import ReadinessReport, readiness
    from crosswheel.commands.register import RegisterReport, register
    from crosswheel.commands.release import ReleaseReport, release
    from crosswheel.commands.report import Page, report
    from crosswheel.commands.shell import ShellReport, shell
    from crosswheel.commands.status import StatusReport, status
    from crosswheel.commands.upload import UploadReport, upload
    from crosswheel.commands.verify import VerifyReport, verify
    from crosswheel.commands.wheelhouse import WheelhouseReport, wheelhouse
    from crosswheel.commands.wheels import Report, wheels
    from crosswheel.commands.worker import WorkerReport, worker
    from crosswheel.errors import CrosswheelError
    from crosswheel.model.job import Event, Listener

__version__ = "0.1.0"
__all__ = [
    "AccelerateReport",
    "AuditReport",
    "CIReport",
    "CacheReport",
    "CertificatesReport",
    "CheckReport",
    "CondaReport",
    "CrosswheelError",
    "DoctorReport",
    "Event",
    "Listener",
    "Page",
    "Plan",
    "PullReport",
    "ReadinessReport",
    "RegisterReport",
    "ReleaseReport",
    "Report",
    "ShellReport",
    "StatusReport",
    "UploadReport",
    "VerifyReport",
    "WheelhouseReport",
    "WorkerReport",
    "__version__",
    "accelerate",
    "audit",
    "cache",
    "certificates",
    "check",
    "ci",
    "conda",
    "doctor",
    "plan",
    "pull",
    "readiness",
    "register",
    "release",
    "report",
    "shell",
    "status",
    "upload",
    "verify",
    "wheelhouse",
    "wheels",
    "worker",
]

# Where each name is; nothing is imported before it is asked for, so that `nox -l` stays instant.
_PLACES = {
    "CrosswheelError": "errors",
    "Event": "model.job",
    "Listener": "model.job",
    "Page": "commands.report",
    "Plan": "commands.plan",
    "Report": "commands.wheels",
    **{name: f"commands.{name.removesuffix('Report').lower()}" for name in __all__ if name[1:].endswith("Report")},
    **{verb: f"commands.{verb}" for verb in __all__ if verb.islower() and verb[0] != "_"},
}


if not TYPE_CHECKING:  # or a type checker would believe in any name

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
