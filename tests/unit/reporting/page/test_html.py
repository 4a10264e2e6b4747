"""The page as text: what is on it, and that nothing on it is more than text. tests/browser looks at it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import page_samples as samples
from crosswheel.errors import UsageError
from crosswheel.reporting.page.html import page, verdicts
from crosswheel.reporting.page.inputs import Inputs, inputs_of, read_documents

ALL = [
    samples.full_report(),
    samples.emulated_before(),
    samples.readiness(),
    samples.release(),
    samples.release("0.9", month=3),
]


class Reader(HTMLParser):
    """Tags, attributes and texts of a page; complains about a tag that is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.ids: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in {"meta", "br", "input"}:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def read(*documents: dict[str, Any]) -> Reader:
    return Reader(page(inputs_of(documents)))


def test_all_is_there() -> None:
    text = read(*ALL).text
    for part in (
        "4 of 5 targets have a wheel; 1 failed, that is cp313-manylinux2014_aarch64 in build: the header zlib.h was ",
        "was not found; 1 of those requested has no job; ",
        "3 of them tested on their architecture, 1 not.",
        "requirements.txt: 3 of 5 packages have wheels everywhere; 2 lack some; 1 cannot be built.",
        "demo 1.0 is released: testpypi serves exactly the 1 file that was built.",
        "✔ built cross tested in namespaces of this machine, under QEMU 1.2 MiB · glibc 2.17 ·",
        "! not tested",
        "is not available",
        "Before the first job: 1.0 s",
        "cross: 2 targets built in 16.0 s; the same under emulation took 130.0 s, 8.1 times as long",
        "! warning W302",
        "Switched off: our users have no such disks",
        "2 targets: cp310-manylinux2014_aarch64, cp311-manylinux2014_aarch64",
        "Try: --engine accelerated, whose image may have it",
        "The last 120 lines of the log of cp313-manylinux2014_aarch64",
        "cp314: no such CPython on this machine ! requested Try: uv python install 3.14",
        "lxml 6.0 ✘ build it ✔ wheel build it; 6.1 has a wheel demo",
        "tensorflow 6.0 ⊘ impossible ✔ wheel it has no sdist demo",
        "2026-05-20 08:00 UTC 0.9 5 of 5 0 5 4.8 MiB",
        "demo 0.9 2026-03-29 10:00 UTC",
        "sha256 fedcba9876543210",
    ):
        assert part in text, part


def test_missing_packages_come_before_ready_ones() -> None:
    text = read(samples.readiness()).text
    assert text.index("lxml 6.0") < text.index("3 packages with wheels on every platform") < text.index("cffi 6.0")


def test_each_link_has_a_place_and_each_place_one_name() -> None:
    found = read(*ALL)
    links = [value for name, value in found.attributes if name == "href"]
    assert len(found.ids) == len(set(found.ids))
    assert {link.removeprefix("#") for link in links} <= set(found.ids)
    assert "#rule-W302" in links
    named = [word for name, value in found.attributes if name == "aria-labelledby" for word in value.split()]
    assert set(named) <= set(found.ids)


def test_hostile_texts_are_texts() -> None:
    honest, found = read(*ALL), read(*map(samples.hostile, ALL))
    assert set(found.tags) == set(honest.tags)
    assert {name for name, _ in found.attributes} == {name for name, _ in honest.attributes}
    assert "<img src=x onerror='alert(1)'>" in found.text
    assert "{{ 7 * 7 }}{% raw %}" in found.text


def test_nothing_turns_hides_or_commands() -> None:
    text = page(inputs_of(map(samples.hostile, ALL)))
    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]
    assert "##[" not in text


def test_a_carriage_return_hides_nothing() -> None:
    document = samples.full_report()
    document["jobs"][0]["wheel"]["file"] = "evil.whl\rdemo.whl"
    assert "evil.whl demo.whl" in read(document).text


def test_the_policy_allows_its_own_style_and_script_only() -> None:
    text = page(inputs_of(ALL))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    parts = dict(part.split(" ", 1) for part in policy[1].split("; "))
    assert parts.pop("default-src") == "'none'"
    for kind, tag in (("style", "style"), ("script", "script")):
        inside = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert inside
        digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
        assert parts.pop(f"{kind}-src") == f"'sha256-{digest}'"
    assert parts == {"base-uri": "'none'", "form-action": "'none'"}
    assert " style=" not in text
    assert "http-equiv" in text


def test_the_script_is_short() -> None:
    script = Path(samples.__file__).parents[1] / "lib/crosswheel/reporting/page/templates/script.js"
    assert len(script.read_text("utf-8").splitlines()) <= 100


def test_a_thousand_jobs_fit_into_two_megabytes() -> None:
    text = page(inputs_of([samples.many_jobs(1000)]))
    assert len(text.encode()) < 2_000_000
    assert "95 lines before these are in report.json." not in text
    assert Reader(text).text.count("failed in build") == 334


def test_a_document_of_schema_1_is_shown_without_times() -> None:
    document = samples.full_report()
    del document["earlier"]
    for job in document["jobs"]:
        for timed in (job, *job["steps"]):
            for name in ("started", "ended", "cpu_seconds", "waits_for", "worker"):
                timed.pop(name, None)
    text = read({**document, "schema": 1}).text
    assert "4 of 5 targets have a wheel" in text
    assert "Timeline" not in text


def test_runs_of_one_project_are_told_together_and_others_beside_it() -> None:
    other = samples.report(samples.outcome("cp312-manylinux2014_aarch64", 0.0))
    other["sdist"]["name"] = "other"
    inputs = inputs_of([samples.emulated_before(), other, samples.full_report()])
    assert [len(run.older) for run in inputs.runs] == [1, 0]
    assert [verdict.mood for verdict in verdicts(inputs)] == ["bad", "bad"]
    assert read(samples.full_report(), other).text.startswith("demo 1.0, other 1.0 · crosswheel report")


def test_nothing_is_no_page_of_something() -> None:
    assert "nothing · crosswheel report" in Reader(page(Inputs())).text


def test_what_is_no_document_of_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text, reason in (
        ("{", "cannot be read as JSON"),
        ("[]", "has no report, readiness or release"),
        ('{"kind": "plan", "schema": 2}', "has no report, readiness or release"),
        ('{"kind": "report", "schema": 3}', "has schema 3, and this release of crosswheel knows 1 to 2"),
        ('{"kind": "release", "schema": true}', "has schema True"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=reason):
            read_documents([path])
    with pytest.raises(UsageError, match="No such file"):
        read_documents([tmp_path / "missing.json"])


@pytest.mark.parametrize("name", ["jobs", "totals", "left_out", "sdist", "started"])
def test_a_document_without_a_part_is_refused(tmp_path: Path, name: str) -> None:
    document = samples.full_report()
    del document[name]
    path = tmp_path / "report.json"
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError, match="not as its schema describes it"):
        page(read_documents([path]))
