from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.model.job import (
    Artifact,
    Chore,
    Difference,
    Failure,
    Finding,
    JobFinished,
    LeftOut,
    Note,
    Outcome,
    Plan,
    Planned,
    Report,
    StepStarted,
    StepTime,
    Transfer,
)
from crosswheel.reporting.console import console_for
from crosswheel.reporting.folds import GitHubFold, GitLabFold
from crosswheel.reporting.live import LiveDisplay
from crosswheel.reporting.plain import PlainDisplay
from crosswheel.reporting.run import display, plan_text, summary_text
from report_samples import make_job, make_wheel

PLAN = """\
target                         engine  python  reason                    refused
cp312-manylinux2014_aarch64    cross   3.12.9  zig is a compiler for it  native: this machine is x86_64
cp313-manylinux2014_aarch64    cross   3.13.2  zig is a compiler for it  native: this machine is x86_64
cp313t-manylinux_2_28_aarch64  cross   3.13.2  zig is a compiler for it  native: this machine is x86_64
cp314-musllinux_1_2_x86_64     native          zig is a compiler for it

left out, although requested
  cp39-manylinux2014_aarch64: requires-python is >=3.10
left out
  cp310-manylinux2014_aarch64, cp310-musllinux_1_2_aarch64: no CPython 3.10 on this machine
    try: uv python install 3.10
"""

NARROW_PLAN = """\
target                         engine  python  reason
cp312-manylinux2014_aarch64    cross   3.12.9  zig is a compiler for it
cp313-manylinux2014_aarch64    cross   3.13.2  zig is a compiler for it
cp313t-manylinux_2_28_aarch64  cross   3.13.2  zig is a compiler for it
cp314-musllinux_1_2_x86_64     native          zig is a compiler for it

refused
  native for 3 targets: this machine is x86_64

left out, although requested
  cp39-manylinux2014_aarch64: requires-python is >=3.10
left out
  cp310-manylinux2014_aarch64, cp310-musllinux_1_2_aarch64: no CPython 3.10 on
  this machine
    try: uv python install 3.10
"""

SUMMARY = """\
target                           engine  result   build  repair  audit     size  sha256        tag
✔ cp312-manylinux2014_aarch64    cross   built   10.0 s   2.0 s  0.3 s  1.2 MiB  0123456789ab  {abi3}
↺ cp313-manylinux2014_aarch64    cross   reused                         1.2 MiB  0123456789ab  {abi3}
✘ cp313t-manylinux_2_28_aarch64  cross   failed   3.2 s
↺ cp314-musllinux_1_2_x86_64     native  pure                           2.0 KiB  0123456789ab  py3-none-any

✘ cp313t-manylinux_2_28_aarch64  failed in build after 3.2 s
    the build backend failed
      exit status 1
    try: nox -s wheels -- --target cp313t-manylinux_2_28_aarch64
    | src/demo.c:1:10: fatal error
    | [bold]compilation[/bold] terminated.
    log: logs/cp313t-manylinux_2_28_aarch64.log

! cp312-manylinux2014_aarch64: warning extra-file: the wheel holds a test folder\
 (tests/__init__.py, found tests/, expected demo/)
    fix: exclude tests in the build backend
↺ cp313-manylinux2014_aarch64: the abi3 wheel of cp312-manylinux2014_aarch64
↺ cp314-musllinux_1_2_x86_64: demo-1.0-py3-none-any.whl fits all

left out, although requested
  cp39-manylinux2014_aarch64: requires-python is >=3.10
left out
  cp310-manylinux2014_aarch64, cp310-musllinux_1_2_aarch64: no CPython 3.10 on this machine
    try: uv python install 3.10

3 of 4 targets served by 2 wheels in wheelhouse/ · 1 failed · 1 left out although requested · 41.2 s
NOT TESTED: no step ran these wheels on their targets
""".format(abi3="cp312-abi3-manylinux_2_17_aarch64.manylinux2014_aarch64")


NO_ENGINE = "asking the Docker Engine: no Docker Engine answers there"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal_text(draw: Callable[..., str], subject: object, columns: int, **environ: str) -> str:
    console = console_for(Terminal(), {"COLUMNS": str(columns), "LINES": "40", "TERM": "xterm", **environ})
    return draw(subject, console)


# plan


def test_plan(sample_plan: Plan) -> None:
    assert plan_text(sample_plan) == PLAN


def test_plan_where_there_is_little_room(sample_plan: Plan) -> None:
    console = console_for(Terminal(), {"COLUMNS": "80", "LINES": "40", "TERM": "dumb"})
    assert plan_text(sample_plan, console) == NARROW_PLAN


def test_plan_says_which_wheels_will_not_be_tested_and_why(sample_plan: Plan) -> None:
    why = {"cp314-musllinux_1_2_x86_64": "", "cp313t-manylinux_2_28_aarch64": "--test never"}
    jobs = tuple(replace(job, untested=why.get(str(job.target), NO_ENGINE)) for job in sample_plan.jobs)
    assert (
        "\n\nwill not be tested\n"
        f"  cp312-manylinux2014_aarch64, cp313-manylinux2014_aarch64: {NO_ENGINE}\n"
        "  cp313t-manylinux_2_28_aarch64: --test never\n\nleft out"
    ) in plan_text(Plan("demo", jobs, sample_plan.left_out))
    alike = tuple(replace(job, untested=NO_ENGINE) for job in jobs)
    assert plan_text(Plan("demo", alike)).endswith(f"\n\nwill not be tested\n  all: {NO_ENGINE}\n")


def test_digests_are_short_in_reasons_and_whole_in_what_one_types() -> None:
    image = f"127.0.0.1:5000/pypa/manylinux2014_s390x@sha256:{'0123456789abcdef' * 4}"
    short = "127.0.0.1:5000/pypa/manylinux2014_s390x@sha256:0123456789ab"
    left_out = LeftOut("cp39-manylinux2014_s390x", f"{image} has no cp39", f"docker pull {image}")
    job = replace(make_job("cp313-manylinux2014_s390x", refused=f"{image} has no cp313"), reason=f"{image} is here")
    plan = Plan("demo", (job,), (left_out,))
    wide, narrow = (
        plan_text(plan, console_for(Terminal(), {"COLUMNS": n, "LINES": "40", "TERM": "dumb"})) for n in ("250", "130")
    )
    assert f"{short} is here  native: {short} has no cp313\n" in wide
    assert f"refused\n  native for 1 target: {short} has no cp313\n" in narrow
    for text in (wide, narrow):
        assert f"cp39-manylinux2014_s390x: {short} has no cp39\n    try: docker pull {image}\n" in text


def test_commands_to_type_are_never_wrapped() -> None:
    hint = "uv python install " + " ".join(f"3.{minor}" for minor in range(40))
    console = console_for(Terminal(), {"COLUMNS": "40", "LINES": "40", "TERM": "dumb"})
    text = plan_text(Plan("demo", left_out=(LeftOut("cp39", "none here", hint),)), console)
    assert text == f"nothing to build\n\nleft out\n  cp39: none here\n    try: {hint}\n"


def test_plan_without_jobs_names_a_few_of_many() -> None:
    left_out = tuple(LeftOut(f"cp3{minor}-manylinux2014_s390x", "no compiler") for minor in range(9, 23))
    assert plan_text(Plan("demo", left_out=left_out)) == (
        f"nothing to build\n\nleft out\n  {', '.join(entry.what for entry in left_out[:12])} and 2 more: no compiler\n"
    )


def test_left_out_for_different_reasons_under_one_heading() -> None:
    left_out = (LeftOut("cp39", "too old"), LeftOut("cp315", "too new"), LeftOut("cp38", "too old"))
    assert plan_text(Plan("demo", left_out=left_out)) == (
        "nothing to build\n\nleft out\n  cp39, cp38: too old\n  cp315: too new\n"
    )


def test_plan_has_colours_only_where_they_are_wanted(sample_plan: Plan) -> None:
    assert "\x1b[36mcross" in terminal_text(plan_text, sample_plan, 120)
    assert "\x1b[36m" not in terminal_text(plan_text, sample_plan, 120, NO_COLOR="1")
    assert "\x1b" not in plan_text(sample_plan, console_for(io.StringIO(), {}))
    assert "\x1b[36mcross" in plan_text(sample_plan, console_for(io.StringIO(), {"FORCE_COLOR": "1"}))


# summary


def test_summary(sample_report: Report) -> None:
    assert summary_text(sample_report) == SUMMARY


@pytest.mark.parametrize(
    ("columns", "header"),
    [
        (160, "target engine result build repair audit size sha256 tag"),
        (120, "target engine result build repair audit size sha256"),
        (80, "target engine result size sha256"),
        (65, "target engine result size"),
        (55, "target result size"),
    ],
)
def test_summary_gives_up_columns(sample_report: Report, columns: int, header: str) -> None:
    console = console_for(Terminal(), {"COLUMNS": str(columns), "LINES": "40", "TERM": "dumb"})
    shown = summary_text(sample_report, console).splitlines()[0].split()
    assert shown == header.split()


def test_summary_keeps_its_last_columns_however_narrow(sample_report: Report) -> None:
    console = console_for(Terminal(), {"COLUMNS": "20", "LINES": "40", "TERM": "dumb"})
    assert len(summary_text(sample_report, console).splitlines()[0].split()) == 3


def test_summary_of_tested_wheels() -> None:
    outcome = Outcome(
        make_job("cp313-manylinux2014_aarch64"),
        "built",
        wheel=make_wheel("cp313-cp313-manylinux2014_aarch64", 512),
        steps=(StepTime("build", 100.04), StepTime("test", 1.0)),
    )
    report = Report(Plan("demo", (outcome.job,)), (outcome,), None, 0.0, 101.0)
    assert summary_text(report) == (
        "target                         engine  result    build   test   size  sha256        tag\n"
        "✔ cp313-manylinux2014_aarch64  cross   built   100.0 s  1.0 s  512 B  0123456789ab"
        "  cp313-cp313-manylinux2014_aarch64\n"
        "\n"
        "1 of 1 wheel in wheelhouse/ · 101.0 s\n"
    )


def test_summary_says_which_wheels_were_not_tested_and_what_did_not_run() -> None:
    targets = ("cp312-manylinux2014_aarch64", "cp313-manylinux2014_aarch64", "cp314-manylinux2014_aarch64")
    tested, untested, never = (make_job(target) for target in targets)
    cancelled = make_job("cp311-manylinux2014_aarch64")
    report = Report(
        Plan("demo", (tested, untested, never, cancelled)),
        (
            Outcome(tested, "built", make_wheel("cp312-cp312-linux_aarch64"), (StepTime("test", 1.0),)),
            Outcome(untested, "built", replace(make_wheel("cp313"), path=Path("elsewhere/demo.whl"))),
            Outcome(cancelled, "cancelled"),
        ),
        None,
        0.0,
        9.96,
    )
    assert summary_text(report).splitlines()[-2:] == [
        "2 of 4 wheels · 1 cancelled · 1 unfinished · 10.0 s",
        "NOT TESTED: no step ran the wheels of cp313-manylinux2014_aarch64 on their targets",
    ]


def test_summary_says_why_wheels_were_not_tested_each_reason_once() -> None:
    why = {312: NO_ENGINE, 313: NO_ENGINE, 314: "--test never"}
    outcomes = tuple(
        Outcome(make_job(f"cp{minor}-manylinux2014_aarch64"), "built", make_wheel(f"cp{minor}"), untested=reason)
        for minor, reason in why.items()
    )
    plan = Plan("demo", tuple(outcome.job for outcome in outcomes))
    names = [str(job.target) for job in plan.jobs]
    assert summary_text(Report(plan, outcomes, None, 0.0, 0.0)).splitlines()[-2:] == [
        f"NOT TESTED: no step ran the wheels of {', '.join(names[:2])} on their targets: {NO_ENGINE}",
        f"NOT TESTED: no step ran the wheels of {names[2]} on their targets: --test never",
    ]
    alike = tuple(replace(outcome, untested=NO_ENGINE) for outcome in outcomes)
    assert summary_text(Report(plan, alike, None, 0.0, 0.0)).splitlines()[-1:] == [
        f"NOT TESTED: no step ran these wheels on their targets: {NO_ENGINE}"
    ]


def test_summary_says_what_is_reproducible_and_what_the_others_differ_in() -> None:
    found = (
        Difference("fast.so", "bytes", ".rodata at 0x2000", "it contains the build folder's path"),
        Difference("", "order"),
        Difference("tiny-1.0.dist-info/RECORD", "bytes", "line 1", "follows from the other members"),
    )
    same = Outcome(make_job("cp311-manylinux2014_aarch64"), "built", wheel=make_wheel("cp311"), reproducible=True)
    other = replace(same, job=make_job("cp312-manylinux2014_aarch64"), reproducible=False, differences=found)
    jobs = same.job, other.job
    said = summary_text(Report(Plan("demo", jobs), (same, other), None, 0.0, 1.0))
    assert re.findall(r"cp31[12].*(yes|no) ", said) == ["yes", "no"]
    assert "! cp312-manylinux2014_aarch64: not reproducible: fast.so (bytes), .rodata at 0x2000\n" in said
    assert "    cause: it contains the build folder's path\n" in said
    assert "not reproducible: the archive (order)\n" in said
    assert "RECORD" not in said
    assert "1 not reproducible · 1 reproducible · 1.0 s\n" in said


def test_summary_of_nothing() -> None:
    assert summary_text(Report(Plan("demo"), (), None, 0.0, 0.0)) == "\n0 of 0 wheels · 0.0 s\n"


def test_the_failure_of_a_single_job_is_said_once_on_a_terminal() -> None:
    job = make_job("cp313-manylinux2014_aarch64")
    failed = Outcome(job, "failed", failure=Failure("BuildFailed", 7, "build", "no header", "less log", ("a line",)))
    report = Report(Plan("demo", (job,)), (failed,), None, 0.0, 1.0)
    stream = io.StringIO()
    console = console_for(stream, {})
    with PlainDisplay(console) as listener:
        listener(JobFinished(failed))
    assert (stream.getvalue() + summary_text(report, console)).count("no header") == 1
    assert "no header" in summary_text(report)


def test_summary_is_safe_against_what_others_wrote() -> None:
    evil = "x\x1b[2J\x1b]0;title\x07 \u202e[red]\n::error::no\n##[add-mask]x\r\n\x9b31m"
    job = make_job("cp313-manylinux2014_aarch64", engine=evil)
    failed = Outcome(
        job,
        "failed",
        wheel=Artifact(Path("w/x.whl"), 1, "a" * 64, evil),
        findings=(Finding(evil, "error", evil, evil, evil, evil, evil),),
        failure=Failure("BuildFailed", 7, "build", evil, evil, (evil,)),
        log=Path(f"logs/{evil}"),
        note=evil,
    )
    plan = Plan(evil, (job,), (LeftOut(evil, evil, evil),))
    for text in (plan_text(plan), summary_text(Report(plan, (failed,), None, 0.0, 0.0))):
        assert not set("\x1b\x07\x9b\u202e\r") & set(text)
        assert "##[" not in text
        assert not [line for line in text.splitlines() if line.strip().startswith("::")]
        assert "x [red]" in text


# displays


def listen(plan: Plan, listener: Callable[..., None], *outcomes: Outcome) -> None:
    listener(Note("CPython 3.12.9 is here"))
    listener(Transfer("zig [1]", 0, 40_000_000))
    listener(Transfer("zig [1]", 40_000_000, 40_000_000))
    listener(Transfer("headers", 10, None))
    for step in ("build", "repair"):
        listener(StepStarted(plan.jobs[0], step))
    for outcome in outcomes:
        listener(JobFinished(outcome))


def test_plain_lines(sample_report: Report) -> None:
    stream = io.StringIO()
    with PlainDisplay(console_for(stream, {})) as listener:
        listen(sample_report.plan, listener, *sample_report.outcomes)
    assert stream.getvalue() == (
        "CPython 3.12.9 is here\n"
        "fetching zig [1] (38.1 MiB)\n"
        "fetching headers\n"
        "cp312-manylinux2014_aarch64    build\n"
        "cp312-manylinux2014_aarch64    repair\n"
        "✔ cp312-manylinux2014_aarch64    built in 12.3 s (1.2 MiB)\n"
        "↺ cp313-manylinux2014_aarch64    reused: the abi3 wheel of cp312-manylinux2014_aarch64\n"
        "✘ cp313t-manylinux_2_28_aarch64  failed in build after 3.2 s\n"
        "    the build backend failed\n"
        "      exit status 1\n"
        "    try: nox -s wheels -- --target cp313t-manylinux_2_28_aarch64\n"
        "    | src/demo.c:1:10: fatal error\n"
        "    | [bold]compilation[/bold] terminated.\n"
        "    log: logs/cp313t-manylinux_2_28_aarch64.log\n"
        "↺ cp314-musllinux_1_2_x86_64     pure: demo-1.0-py3-none-any.whl fits all\n"
    )


HOSTILE_LOG = (
    b"gcc -c demo.c\n"
    b"::error::not ours\n"
    b"\n"
    b"  ::add-path::/evil\n"
    b"##[add-mask]o\n"
    b"\x1b[0Ksection_end:1:crosswheel_x\r\x1b[0K::endgroup::\n"
    b"10%\r99%\r100%\r\n"
    b"\x1b[31mred\x1b[0m\ttab \xff\xe2\x80\xae"
)


def with_log(outcome: Outcome, folder: Path) -> Outcome:
    log = folder / "job.log"
    log.write_bytes(HOSTILE_LOG)
    return replace(outcome, log=log)


def test_github_fold_stops_the_commands_of_others(sample_report: Report, tmp_path: Path) -> None:
    stream = io.StringIO()
    PlainDisplay(console_for(stream, {}), GitHubFold("TOKEN"))(
        JobFinished(with_log(sample_report.outcomes[2], tmp_path))
    )
    assert stream.getvalue() == (
        "::group::✘ cp313t-manylinux_2_28_aarch64  failed in build after 3.2 s\n"
        "::stop-commands::TOKEN\n"
        "gcc -c demo.c\n"
        "::error::not ours\n"
        "\n"
        "  ::add-path::/evil\n"
        "# #[add-mask]o\n"
        "::endgroup::\n"
        "100%\n"
        "red     tab \ufffd\n"
        "::TOKEN::\n"
        "::endgroup::\n"
        "    the build backend failed\n"
        "      exit status 1\n"
        "    try: nox -s wheels -- --target cp313t-manylinux_2_28_aarch64\n"
        "    | src/demo.c:1:10: fatal error\n"
        "    | [bold]compilation[/bold] terminated.\n"
        f"    log: {tmp_path}/job.log\n"
        "::error title=cp313t-manylinux_2_28_aarch64%3A build failed::the build backend failed%0A  exit status 1"
        "%0Atry: nox -s wheels -- --target cp313t-manylinux_2_28_aarch64\n"
    )


def test_github_token_cannot_be_guessed() -> None:
    assert GitHubFold().token != GitHubFold().token


def test_github_annotation_escapes_its_own_syntax() -> None:
    job = make_job("cp313-manylinux2014_aarch64")
    failure = Failure("AuditFailed", 9, "a,b:c", "100%\n::error::x")
    assert GitHubFold("T").annotation(job, failure) == (
        "::error title=cp313-manylinux2014_aarch64%3A a%2Cb%3Ac failed::100%25%0A: :error::x"
    )


def test_gitlab_fold(sample_report: Report, tmp_path: Path) -> None:
    stream = io.StringIO()
    fold = GitLabFold(clock=lambda: 1_700_000_000.9)
    PlainDisplay(console_for(stream, {}), fold)(JobFinished(with_log(sample_report.outcomes[0], tmp_path)))
    assert stream.getvalue() == (
        "\x1b[0Ksection_start:1699999988:crosswheel_cp312-manylinux2014_aarch64[collapsed=true]\r\x1b[0K"
        "✔ cp312-manylinux2014_aarch64    built in 12.3 s (1.2 MiB)\n"
        "gcc -c demo.c\n"
        "::error::not ours\n"
        "\n"
        "  ::add-path::/evil\n"
        "# #[add-mask]o\n"
        "::endgroup::\n"
        "100%\n"
        "red     tab \ufffd\n"
        "\x1b[0Ksection_end:1700000000:crosswheel_cp312-manylinux2014_aarch64\r\x1b[0K\n"
    )


def test_gitlab_failure_has_no_annotation(sample_report: Report) -> None:
    stream = io.StringIO()
    PlainDisplay(console_for(stream, {}), GitLabFold())(JobFinished(sample_report.outcomes[2]))
    assert stream.getvalue().splitlines()[0] == "✘ cp313t-manylinux_2_28_aarch64  failed in build after 3.2 s"
    assert "::error" not in stream.getvalue()


def test_fold_of_a_log_that_cannot_be_read(
    sample_report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = with_log(sample_report.outcomes[0], tmp_path)

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    stream = io.StringIO()
    PlainDisplay(console_for(stream, {}), GitHubFold("TOKEN"))(JobFinished(outcome))
    assert stream.getvalue() == (
        "::group::✔ cp312-manylinux2014_aarch64    built in 12.3 s (1.2 MiB)\n"
        "::stop-commands::TOKEN\n"
        f"cannot read {tmp_path}/job.log: Permission denied\n"
        "::TOKEN::\n"
        "::endgroup::\n"
    )


def test_lines_of_any_language_on_a_stream_of_one() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    PlainDisplay(console_for(stream, {}))(Note("déjà"))
    stream.flush()
    assert raw.getvalue() == b"d\\xe9j\\xe0\n"


def test_live_display_shows_what_runs_and_keeps_what_ended(sample_report: Report) -> None:
    stream = Terminal()
    console = console_for(stream, {"COLUMNS": "80", "LINES": "40", "TERM": "dumb"})
    now = [0.0]
    live = LiveDisplay(console, clock=lambda: now[0])
    listen(sample_report.plan, live)
    now[0] = 2.25
    with console.capture() as capture:
        console.print(live._view())
    first, second = capture.get().splitlines()
    assert first.split()[1:] == ["cp312-manylinux2014_aarch64", "repair", "2.2", "s", "cross"]
    assert second.split()[0] == "headers"
    assert second.split("  ")[-1] == "10 B of ?"
    now[0] = 60.0
    live(JobFinished(sample_report.outcomes[0]))
    with console.capture() as capture:
        console.print(live._view())
    assert capture.get().strip() == ""
    assert stream.getvalue() == (
        "CPython 3.12.9 is here\n"
        "fetched zig [1] (38.1 MiB)\n"
        "✔ cp312-manylinux2014_aarch64    built in 12.3 s (1.2 MiB)\n"
    )


def test_displays_name_the_project_where_several_are_built(sample_report: Report) -> None:
    stream, done = io.StringIO(), sample_report.outcomes[0]
    live = LiveDisplay(console_for(Terminal(), {"COLUMNS": "80", "LINES": "40", "TERM": "dumb"}))
    plain = PlainDisplay(console_for(stream, {}))
    for listener in (live, plain):
        for project in ("numpy 2.1.0", "pandas 3.0"):
            listener(StepStarted(done.job, "build", project))
        listener(JobFinished(done, "numpy 2.1.0"))
    assert [project for project, _ in live._running] == ["pandas 3.0"]
    assert stream.getvalue().splitlines() == [
        "numpy 2.1.0           cp312-manylinux2014_aarch64    build",
        "pandas 3.0            cp312-manylinux2014_aarch64    build",
        "✔ numpy 2.1.0           cp312-manylinux2014_aarch64    built in 12.3 s (1.2 MiB)",
    ]


def test_live_display_counts_the_jobs_that_are_done(sample_report: Report) -> None:
    console = console_for(Terminal(), {"COLUMNS": "80", "LINES": "40", "TERM": "dumb"})
    live = LiveDisplay(console)
    live(Planned(sample_report.plan))
    live(JobFinished(sample_report.outcomes[0]))
    with console.capture() as capture:
        console.print(live._view())
    assert capture.get().strip() == "1 of 4 jobs done"


def test_plain_display_says_how_many_jobs_there_are(sample_plan: Plan) -> None:
    stream = io.StringIO()
    with display(stream, {}) as listener:
        listener(Planned(sample_plan))
    assert stream.getvalue() == "4 jobs to do\n"


def test_live_display_shows_a_long_chore_until_it_is_done() -> None:
    stream = Terminal()
    console = console_for(stream, {"COLUMNS": "80", "LINES": "40", "TERM": "dumb"})
    now = [0.0]
    live = LiveDisplay(console, clock=lambda: now[0])
    live(Chore("building libc++"))
    now[0] = 31.0
    with console.capture() as capture:
        console.print(live._view())
    assert capture.get().split()[1:] == ["building", "libc++", "31.0", "s"]
    live(Chore("building libc++", 61.04))
    with console.capture() as capture:
        console.print(live._view())
    assert capture.get().strip() == ""
    assert stream.getvalue() == "building libc++: 61.0 s\n"


def test_live_display_leaves_the_terminal_as_it_was(sample_report: Report) -> None:
    stream = Terminal()
    environ = {"COLUMNS": "80", "LINES": "40", "TERM": "xterm"}
    with display(stream, environ) as live:
        listen(sample_report.plan, live, *sample_report.outcomes)
    text = stream.getvalue()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    assert "[bold]compilation[/bold] terminated." in text


@pytest.mark.parametrize(
    ("terminal", "environ", "kind", "fold"),
    [
        (True, {"TERM": "xterm"}, LiveDisplay, None),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, LiveDisplay, None),
        (True, {"TERM": "dumb"}, PlainDisplay, None),
        (True, {"TERM": "xterm", "GITLAB_CI": "true"}, PlainDisplay, GitLabFold),
        (False, {"TERM": "xterm"}, PlainDisplay, None),
        (False, {"FORCE_COLOR": "1"}, PlainDisplay, None),
        (False, {"GITHUB_ACTIONS": "true"}, PlainDisplay, GitHubFold),
        (False, {"GITHUB_ACTIONS": "false"}, PlainDisplay, None),
    ],
)
def test_display_fits_the_stream(terminal: bool, environ: Mapping[str, str], kind: type, fold: type | None) -> None:
    shown = display(Terminal() if terminal else io.StringIO(), environ)
    assert type(shown) is kind
    if isinstance(shown, PlainDisplay):
        assert type(shown._fold) is (fold or type(None))


def test_importing_is_cheap() -> None:
    code = (
        "import sys, crosswheel.reporting.run, crosswheel.reporting.markdown, crosswheel.reporting.document;"
        "sys.exit('rich' in sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )


def test_long_chores_say_when_they_begin_and_how_long_they_took() -> None:
    stream = io.StringIO()
    with display(stream, {}) as listener:
        listener(Chore("building libc++ for aarch64-linux-gnu.2.17, once per machine"))
        listener(Chore("building libc++ for aarch64-linux-gnu.2.17, once per machine", 61.04))
    assert stream.getvalue() == (
        "building libc++ for aarch64-linux-gnu.2.17, once per machine ...\n"
        "building libc++ for aarch64-linux-gnu.2.17, once per machine: 61.0 s\n"
    )


def test_steps_are_in_their_order_where_the_first_job_was_kept(sample_report: Report) -> None:
    built = sample_report.outcomes[0]
    kept = replace(built, status="kept", steps=built.steps[-1:])
    heading = summary_text(replace(sample_report, outcomes=(kept, built))).splitlines()[0]
    assert heading.split()[3:6] == ["build", "repair", "audit"]
