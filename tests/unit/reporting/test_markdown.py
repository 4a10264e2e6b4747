from __future__ import annotations

from dataclasses import replace

from crosswheel.model.job import Failure, Plan, Report
from crosswheel.reporting.markdown import report_markdown

PAGE = """\
### crosswheel: demo-1.0.tar.gz

**3 of 4 targets served by 2 wheels in wheelhouse/ · 1 failed · 1 left out although requested · 41.2 s**

**NOT TESTED: no step ran these wheels on their targets**

| target | engine | result | build | repair | audit | size | sha256 | tag |
| --- | --- | --- | --: | --: | --: | --: | --- | --- |
| ✔ cp312-manylinux2014_aarch64 | cross | built | 10.0 s | 2.0 s | 0.3 s | 1.2 MiB | 0123456789ab | {abi3} |
| ↺ cp313-manylinux2014_aarch64 | cross | reused |  |  |  | 1.2 MiB | 0123456789ab | {abi3} |
| ✘ cp313t-manylinux_2_28_aarch64 | cross | failed | 3.2 s |  |  |  |  |  |
| ↺ cp314-musllinux_1_2_x86_64 | native | pure |  |  |  | 2.0 KiB | 0123456789ab | py3-none-any |

<details><summary>✘ cp313t-manylinux_2_28_aarch64  failed in build after 3.2 s</summary>

```text
the build backend failed
  exit status 1
try: nox -s wheels -- --target cp313t-manylinux_2_28_aarch64

src/demo.c:1:10: fatal error
[bold]compilation[/bold] terminated.
log: logs/cp313t-manylinux_2_28_aarch64.log
```

</details>

- ! cp312-manylinux2014_aarch64: warning extra-file: the wheel holds a test folder\
 (tests/&#95;&#95;init&#95;&#95;.py, found tests/, expected demo/)
    - fix: exclude tests in the build backend
- ↺ cp313-manylinux2014_aarch64: the abi3 wheel of cp312-manylinux2014_aarch64
- ↺ cp314-musllinux_1_2_x86_64: demo-1.0-py3-none-any.whl fits all
- left out, although requested
  - cp39-manylinux2014_aarch64: requires-python is &#62;=3.10
- left out
  - cp310-manylinux2014_aarch64, cp310-musllinux_1_2_aarch64: no CPython 3.10 on this machine
    - try: uv python install 3.10
""".format(abi3="cp312-abi3-manylinux_2_17_aarch64.manylinux2014_aarch64")


def test_page(sample_report: Report) -> None:
    assert report_markdown(sample_report) == PAGE


def test_page_of_nothing() -> None:
    assert report_markdown(Report(Plan("demo"), (), None, 0.0, 0.0)) == (
        "### crosswheel: demo\n\n**0 of 0 wheels · 0.0 s**\n"
    )


def test_what_others_wrote_stays_text(sample_report: Report) -> None:
    failure = Failure("BuildFailed", 7, "<b>build</b>", "```\n</details>", log_tail=("````", "\x1b[31m<img>"))
    outcome = replace(
        sample_report.outcomes[2],
        failure=failure,
        log=None,
        note="[x](https://e.example) | @all #1 <img> www.e.example",
    )
    page = report_markdown(replace(sample_report, outcomes=(outcome,), plan=Plan("`*demo*`", (outcome.job,))))
    assert page == (
        "### crosswheel: &#96;&#42;demo&#42;&#96;\n"
        "\n"
        "**0 of 1 wheel · 1 failed · 41.2 s**\n"
        "\n"
        "| target | engine | result | build | size | sha256 | tag |\n"
        "| --- | --- | --- | --: | --: | --- | --- |\n"
        "| ✘ cp313t-manylinux_2_28_aarch64 | cross | failed | 3.2 s |  |  |  |\n"
        "\n"
        "<details><summary>✘ cp313t-manylinux_2_28_aarch64"
        "  failed in &#60;b&#62;build&#60;/b&#62; after 3.2 s</summary>\n"
        "\n"
        "`````text\n"
        "```\n"
        "</details>\n"
        "\n"
        "````\n"
        "<img>\n"
        "`````\n"
        "\n"
        "</details>\n"
        "\n"
        "- ✘ cp313t-manylinux_2_28_aarch64: &#91;x&#93;(https&#58;//e.example) &#124; &#64;all &#35;1 &#60;img&#62;"
        " www&#46;e.example\n"
    )
