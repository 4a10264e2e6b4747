"""An index is read back: what differs is found, what passes is waited for, and pip really resolves against it."""

from __future__ import annotations

import base64
import io
import json
import socket
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from bad_wheels import ARM, FAST, METADATA
from crosswheel.commands import run_verb
from crosswheel.errors import IndexUnreachable, NoCredentials, VerifyFailed
from crosswheel.formats.distributions import Distribution, read_distributions
from crosswheel.model.job import Event, Note, deaf
from crosswheel.model.targets import Target, parse_target
from crosswheel.publishing import pip_choices
from crosswheel.publishing.pip_choices import Pip
from crosswheel.publishing.published import PublishedFile, PublishedProject, published_project
from crosswheel.publishing.repositories import Repository
from crosswheel.publishing.verification import Mismatch, Verification, compare, read_built
from crosswheel.reporting.verify import verify_document, verify_text
from crosswheel.steps import verify as step
from crosswheel.steps.verify import verify
from crosswheel.system.hashes import sha256_of
from crosswheel.system.process import Processes
from crosswheel.system.trust import Trust
from crosswheel.testing import tiny_wheel
from index_server import IndexServer, index_server
from tiny_projects import tar_of

TARGET = parse_target("cp313-manylinux_2_28_aarch64")
REQUIRES = f"{METADATA}Requires-Python: >=3.10\n".encode()
SECRET = "p@ss/canary"  # noqa: S105 - that it is shown nowhere is the point
ENVIRON = {"PATH": "/usr/bin:/bin"}


@dataclass
class Release:
    """A wheelhouse, and an index that serves it."""

    folder: Path
    server: IndexServer

    def add(self, tag: str = ARM, library: bytes = FAST) -> Path:
        members = {"fast.abi3.so": library, "tiny-1.0.dist-info/METADATA": REQUIRES}
        path = tiny_wheel(self.folder, tag=tag, members=members)
        self.serve(path)
        return path

    def serve(self, path: Path) -> None:
        self.server.files.setdefault("tiny", {})[path.name] = path.read_bytes()
        self.server.requires_python[path.name] = ">=3.10"
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                self.server.metadata[path.name] = archive.read("tiny-1.0.dist-info/METADATA")

    @property
    def files(self) -> tuple[Distribution, ...]:
        return read_distributions([self.folder])

    @property
    def repository(self) -> Repository:
        return Repository("ours", "", self.server.url, "", "")

    def verify(self, *targets: Target, login: str = "", events: list[Event] | None = None, **more: Any) -> Verification:
        username, _, password = login.partition(":")
        repository = replace(self.repository, username=username, password=password)
        listener = deaf if events is None else events.append
        return verify(repository, self.files, targets, listener, environ=ENVIRON, **{"patience": 0, **more})


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Release]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(step, "_FIRST_PAUSE", 0.01)
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    with index_server() as server:
        yield Release(folder, server)


def told(verification: Verification) -> list[tuple[str, str, str]]:
    return [(difference.what, difference.found, difference.expected) for difference in verification.differences]


# ---- all is right ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("html", [False, True])
def test_what_was_built_is_served_and_chosen(release: Release, html: bool) -> None:
    wheel = release.add()
    release.serve(tar_of({"PKG-INFO": REQUIRES}, release.folder))
    release.server.html = html
    done = release.verify(TARGET)
    assert done.ok, told(done)
    assert done.failure is None
    assert [(choice.target, choice.filename) for choice in done.choices] == [(TARGET, wheel.name)]
    assert (done.fetched, done.looks, done.unchosen) == (wheel.name, 1, ())
    assert done.untold == (("core metadata", "requires-python", "size") if html else ())


def test_an_index_without_hashes_is_asked_for_the_bytes(release: Release) -> None:
    wheel = release.add()
    release.server.promised[wheel.name] = ""
    assert release.verify().ok
    release.server.files["tiny"][wheel.name] = bytes(wheel.stat().st_size)
    assert [difference.what for difference in release.verify().differences] == ["sha256"]


def test_old_pages_are_waited_out(release: Release) -> None:
    wheel = release.add()
    release.server.stale = 4
    events: list[Event] = []
    done = release.verify(events=events, patience=60)
    assert done.ok
    assert done.looks == 4  # the first page is asked for beforehand
    first = next(event.text for event in events if isinstance(event, Note))
    size = wheel.stat().st_size
    assert first.startswith(f"look 1 at ours: {wheel.name}: file: found nothing, expected {size} bytes; again in ")
    assert first.endswith(" of 60 s")


def test_trouble_between_two_looks_is_waited_out(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    release.add()
    release.server.stale = 2

    def listener(event: Event) -> None:
        if isinstance(event, Note):
            release.server.errors = 4 if "found nothing" in event.text else 0

    done = verify(release.repository, release.files, [], listener, patience=60, environ=ENVIRON)
    assert (done.ok, done.looks) == (True, 3)


# ---- what differs ---------------------------------------------------------------------------------------------


def test_a_file_that_never_appears_is_told_when_patience_is_over(release: Release) -> None:
    wheel = release.add()
    del release.server.files["tiny"][wheel.name]
    done = release.verify(TARGET, patience=2)  # a first look takes up to a second on a busy machine
    assert done.looks > 1
    assert told(done) == [("file", "nothing", f"{wheel.stat().st_size} bytes")]
    assert isinstance(done.failure, VerifyFailed)
    assert done.failure.exit_code == 24
    assert done.failure.message == (
        f"ours does not serve tiny 1.0 as it was built\n"
        f"  {wheel.name}: file: found nothing, expected {wheel.stat().st_size} bytes"
    )


def test_each_thing_is_compared(release: Release) -> None:
    wheel = release.add()
    (built,) = map(read_built, release.files)
    right = published_project(release.repository, "tiny").files[wheel.name]
    assert list(compare([built], {wheel.name: right})) == []
    wrong: dict[str, tuple[PublishedFile, str, str]] = {
        "sha256": (replace(right, sha256="0" * 64), "0" * 64, built.file.sha256),
        "size": (replace(right, size=7), "7", str(built.file.size)),
        "requires-python": (replace(right, requires_python=">=3.9"), ">=3.9", ">=3.10"),
        "announced core metadata": (replace(right, metadata_sha256="1" * 64), "1" * 64, built.metadata_sha256),
        "yanked": (replace(right, yanked=True, yanked_reason="loses data"), "yes: loses data", "no"),
    }
    for what, (file, found, expected) in wrong.items():
        assert list(compare([built], {wheel.name: file})) == [Mismatch(wheel.name, what, found, expected)]


def test_requires_python_may_be_spelled_in_another_way_and_may_not_be_missing_alone(release: Release) -> None:
    first, second = release.add(), release.add(ARM.replace("313", "312"))
    release.server.requires_python |= {first.name: " >= 3.10"}
    assert release.verify().ok
    del release.server.requires_python[second.name]
    assert told(release.verify()) == [("requires-python", "none", ">=3.10")]
    release.server.requires_python.clear()
    assert release.verify().untold == ("requires-python",)


def test_a_file_besides_those_of_the_wheelhouse_is_told(release: Release) -> None:
    release.add()
    files = release.server.files["tiny"]
    files |= {"tiny-1.0-1-py3-none-any.whl": b"", "tiny-0.9-py3-none-any.whl": b"", "tiny-1.0.zip": b"", "odd": b""}
    found = release.verify().differences
    assert [(one.subject, one.found) for one in found] == [
        ("tiny-1.0-1-py3-none-any.whl", "a file that is not in the wheelhouse"),
        ("tiny-1.0.zip", "a file that is not in the wheelhouse"),
    ]


def test_core_metadata_of_other_bytes_is_told(release: Release) -> None:
    wheel = release.add()
    release.server.promised[f"{wheel.name}.metadata"] = read_built(release.files[0]).metadata_sha256
    release.server.metadata[wheel.name] += b"Requires-Dist: other\n"
    assert [what for what, _, _ in told(release.verify())] == ["core metadata"]


@pytest.mark.parametrize("metadata", [True, False])
def test_other_bytes_under_the_right_hash_are_told(release: Release, metadata: bool) -> None:
    wheel = release.add()
    release.server.promised[wheel.name] = release.files[0].sha256
    data = wheel.read_bytes()
    release.server.files["tiny"][wheel.name] = bytes([data[0] ^ 1]) + data[1:]
    if not metadata:  # and pip has to look into the wheel
        release.server.metadata.clear()
    ((what, found, _),) = told(release.verify(TARGET))
    # A pip that has metadata downloads no wheel for its choice, unless it is older than 25.
    assert what in ({"sha256 of the download", "pip's choice"} if metadata else {"pip's choice"})
    assert what != "pip's choice" or "HASHES" in found


def test_a_target_without_a_wheel_is_told_with_pips_reason(release: Release) -> None:
    release.add()
    musl = parse_target("cp313-musllinux_1_2_aarch64")
    done = release.verify(TARGET, musl)
    assert [choice.target for choice in done.choices] == [TARGET]
    assert [(one.subject, one.what, one.found) for one in done.differences] == [
        (str(musl), "pip's choice", "No matching distribution found for tiny==1.0")
    ]


def test_an_audit_that_fails_is_not_waited_for(release: Release) -> None:
    wheel = release.add(library=b"\x7fELF")
    done = release.verify(patience=60)
    assert done.looks == 1
    assert {one.what for one in done.differences} == {"audit of the download"}
    codes = {one.found.partition(":")[0] for one in done.differences}
    assert release.verify(ignore=dict.fromkeys(codes, "as it should be")).fetched == wheel.name
    assert release.verify(ignore=dict.fromkeys(codes, "as it should be")).ok


def test_a_wheel_that_nobody_takes_is_named(release: Release) -> None:
    release.add()
    other = release.add("cp313-cp313-win_amd64")
    assert release.verify(TARGET).unchosen == (other.name,)


# ---- what pip chooses -----------------------------------------------------------------------------------------


def pip(release: Release) -> Pip:
    environ = {**ENVIRON, "PIP_INDEX_URL": "http://127.0.0.1:1/nowhere", "PIP_NO_BINARY": ":all:"}
    return Pip(release.server.url, Trust(), Processes(), environ)


def test_pip_takes_the_best_wheel_of_the_target(release: Release) -> None:
    for tag in ("cp311-abi3-manylinux2014_aarch64", "cp313-cp313-manylinux_2_27_aarch64", "py3-none-any"):
        release.add(tag)
    release.add("cp313-cp313-manylinux_2_31_aarch64")  # too new for the target
    wanted = {
        "cp313-manylinux_2_28_aarch64": "tiny-1.0-cp313-cp313-manylinux_2_27_aarch64.whl",
        "cp312-manylinux2014_aarch64": "tiny-1.0-cp311-abi3-manylinux2014_aarch64.whl",
        "cp313t-manylinux_2_28_aarch64": "tiny-1.0-py3-none-any.whl",
        "cp310-musllinux_1_2_x86_64": "tiny-1.0-py3-none-any.whl",
        "cp39-manylinux_2_28_aarch64": "",  # requires-python
    }
    choices = pip(release).choices("tiny==1.0", [parse_target(target) for target in wanted])
    assert {str(choice.target): choice.filename for choice in choices} == wanted
    assert choices[-1].reason == "No matching distribution found for tiny==1.0"


def test_a_rival_with_a_higher_build_number_is_what_pip_takes(release: Release) -> None:
    ours = release.add()
    rival = ours.rename(ours.with_name(f"tiny-1.0-1-{ARM}.whl"))
    release.serve(rival)
    (choice,) = pip(release).choices("tiny==1.0", [TARGET])
    assert (choice.filename, choice.sha256) == (rival.name, sha256_of(rival))


def test_a_pip_that_gets_no_answer_is_not_waited_for(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_choices, "_LONGEST", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/simple/"
        (choice,) = replace(pip(release), address=address).choices("tiny==1.0", [TARGET])
    assert (choice.filename, choice.reason) == ("", "nothing: pip did not answer within 1 s")


def test_what_keeps_pip_from_starting_is_the_reason(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit('there is none')")
    monkeypatch.setattr(pip_choices, "_PROGRAM", tmp_path / "broken.py")
    (choice,) = pip(release).choices("tiny==1.0", [TARGET])
    assert (choice.filename, choice.reason) == ("", "there is none")


def test_what_never_comes_to_ask_pip_is_not_waited_for(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hangs.py").write_text("import time; time.sleep(600)")
    monkeypatch.setattr(pip_choices, "_PROGRAM", tmp_path / "hangs.py")
    monkeypatch.setattr(pip_choices, "_LONGEST", 1)
    (choice,) = pip(release).choices("tiny==1.0", [TARGET])
    assert (choice.filename, choice.reason) == ("", "nothing: pip did not answer within 1 s")


# ---- who reads ------------------------------------------------------------------------------------------------


def test_an_index_that_asks_who_reads_is_told_and_nobody_else(release: Release) -> None:
    release.add()
    release.server.login = f"me:{SECRET}"
    events: list[Event] = []
    done = release.verify(TARGET, login=release.server.login, events=events)
    assert done.ok
    shown = f"{done}{events}{verify_document(done)}{verify_text(done)}"
    assert SECRET not in shown
    assert "canary" not in shown


def test_a_token_is_not_given_to_who_does_not_ask(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    release.add()
    monkeypatch.setattr("requests.auth.HTTPBasicAuth.__call__", lambda *_: pytest.fail("nobody asked"))
    assert release.verify(TARGET, login=f"__token__:{SECRET}").ok


def test_a_wrong_password_is_an_error_that_does_not_show_it(release: Release) -> None:
    release.add()
    release.server.login = "me:right"
    with pytest.raises(NoCredentials, match=r"^reading the page of tiny on ours failed: 401 Unauthorized: ") as caught:
        release.verify(login=f"me:{SECRET}", patience=60)
    assert "canary" not in str(caught.value)


# ---- an index that is none ------------------------------------------------------------------------------------


def test_an_index_that_never_answers_is_an_error_at_once(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    release.add()
    release.server.errors = 99
    with pytest.raises(IndexUnreachable, match=r"^reading the page of tiny on ours failed: "):
        release.verify(patience=600)


def test_what_is_no_index_page_is_an_error(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    release.add()
    monkeypatch.setattr(IndexServer, "page", lambda *_: b"{}")
    with pytest.raises(IndexUnreachable, match=r"this is not a package index: "):
        release.verify(patience=600)


def test_a_page_to_log_in_on_is_no_index_without_files(release: Release) -> None:
    release.add()
    release.server.moved["tiny"] = "../login/"
    release.server.pages["login"] = "<form><input type=password></form>"
    with pytest.raises(IndexUnreachable, match="is an ordinary web page, perhaps for a login") as caught:
        release.verify(patience=600)
    assert f"{release.server.url}login/" in caught.value.message
    assert "export TWINE_USERNAME_OURS=... TWINE_PASSWORD_OURS=..." in caught.value.hint


@pytest.mark.parametrize("status", [401, 403])
def test_an_index_that_lets_us_not_read_says_what_to_set(release: Release, status: int) -> None:
    release.add()
    release.server.login, release.server.refusing = "me:right", status
    with pytest.raises(NoCredentials, match="no user name and password are set") as caught:
        release.verify(patience=600)
    for word in ("TWINE_USERNAME_OURS=", "TWINE_PASSWORD_OURS=", ".pypirc", "~/.netrc"):
        assert word in caught.value.hint


def test_a_yanked_release_is_told_as_yanked(release: Release) -> None:
    wheel = release.add()
    release.server.yanked, release.server.yanked_reason = {wheel.name}, "loses data"
    assert told(release.verify(TARGET)) == [("yanked", "yes: loses data", "no")]


# ---- provenance and project status ----------------------------------------------------------------------------


def attest(path: Path, signature: str = "c2ln") -> bytes:
    """An attestation beside a file, which it is sent with; and the provenance that an index makes of it."""
    subject = {"name": path.name, "digest": {"sha256": sha256_of(path)}}
    statement = base64.b64encode(json.dumps({"subject": [subject]}).encode()).decode()
    attestation = {"version": 1, "envelope": {"statement": statement, "signature": signature}}
    path.with_name(f"{path.name}.publish.attestation").write_text(json.dumps(attestation))
    bundles = [{"publisher": {"kind": "GitHub"}, "attestations": [attestation]}]
    return json.dumps({"version": 1, "attestation_bundles": bundles}).encode()


@pytest.mark.parametrize("html", [False, True])
def test_provenance_is_what_was_sent(release: Release, html: bool) -> None:
    wheel, other = release.add(), release.add(tag="cp39-abi3-manylinux_2_17_aarch64")
    release.server.provenance = {wheel.name: attest(wheel)}
    release.server.html = html
    done = release.verify()
    assert (told(done), done.attested, done.proved) == ([], (wheel.name,), (wheel.name,))
    assert "provenance" not in done.untold
    assert " · provenance of 1 file · " in verify_text(done)
    assert f"/files/tiny/{wheel.name}.provenance" in release.server.asked
    assert f"/files/tiny/{other.name}.provenance" not in release.server.asked
    release.server.provenance[wheel.name] = attest(wheel, "b3RoZXI=")
    attest(wheel)
    found = "1 attestation, but not the one that was sent with the file"
    assert told(release.verify()) == [("provenance", found, "the attestation that was sent with the file")]


def test_a_file_without_its_provenance_is_told(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel, other = release.add(), release.add(tag="cp39-abi3-manylinux_2_17_aarch64")
    release.server.provenance = {other.name: attest(other)}
    attest(wheel)
    lacking = [("provenance", "none", "the attestation that was sent with the file")]
    assert told(release.verify()) == lacking
    # An index that serves none at all may know nothing of it; PyPI does.
    release.server.provenance.clear()
    done = release.verify()
    assert (told(done), done.untold, done.proved) == ([], ("provenance",), ())
    assert "not compared, the index does not state: provenance" in verify_text(done)
    monkeypatch.setattr(Repository, "is_pypi", True)
    assert told(release.verify()) == lacking * 2
    for file in (wheel, other):
        file.with_name(f"{file.name}.publish.attestation").unlink()
    assert release.verify().ok


def test_provenance_that_is_announced_and_not_there_is_told(release: Release) -> None:
    wheel = release.add()
    attest(wheel)
    release.server.provenance = {wheel.name: b"{}"}
    assert told(release.verify())[0][1] == "an invalid provenance object"


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("status", ["archived", "deprecated", "active"])
def test_the_project_s_status_is_told(release: Release, status: str, html: bool) -> None:
    release.add()
    release.server.status, release.server.html = {"status": status, "reason": "use\nhuge"}, html
    done = release.verify()
    assert done.ok
    text, document = verify_text(done), verify_document(done)
    if status == "active":
        assert "tiny is" not in text
        assert (document["project_status"], document["status_reason"]) == (None, None)
    else:
        assert f"tiny is {status} on ours: use huge\n" in text
        assert (document["project_status"], document["status_reason"]) == (status, "use\nhuge")


def test_a_quarantined_project_is_the_first_difference(release: Release) -> None:
    release.add()
    release.server.files = {"tiny": {}}
    release.server.status = {"status": "quarantined", "reason": "malware"}
    done = release.verify()
    assert told(done)[0] == ("project status", "quarantined: malware", "active")
    assert [difference.what for difference in done.differences] == ["project status", "file"]


def test_upload_times_are_in_utc(release: Release) -> None:
    wheel = release.add()
    noon = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
    for text in ("2026-11-30T12:00:00.000000Z", "2026-11-30T12:00:00", "2026-11-30T14:00:00+02:00"):
        release.server.uploaded = {wheel.name: text}
        assert published_project(release.repository, "tiny").files[wheel.name].uploaded == noon
    release.server.uploaded = {}
    assert published_project(release.repository, "tiny").files[wheel.name].uploaded is None


def test_an_unknown_project_has_no_files(release: Release) -> None:
    release.server.files.clear()
    assert published_project(release.repository, "nobody") == PublishedProject()


# ---- the verb -------------------------------------------------------------------------------------------------


def run(release: Release, **options: Any) -> tuple[int, str, dict[str, Any]]:
    project = release.folder.parent
    address = release.server.url.removesuffix("simple/")
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "tiny"\n[tool.crosswheel]\npython = ["cp313"]\n'
        f'patience = 0\n[tool.crosswheel.index]\n"{address}" = "{release.server.url}"\n'
    )
    stream = io.StringIO()
    code = run_verb("verify", project, {"repository": address, "json": str(project / "verify.json"), **options}, stream)
    return code, stream.getvalue(), json.loads((project / "verify.json").read_text())


def test_the_verb_tells_files_and_targets(release: Release) -> None:
    wheel = release.add()
    code, text, document = run(release)
    assert code == 0, text
    assert "✔ cp313-manylinux2014_aarch64  tiny-1.0-cp313" in text
    assert "serves tiny 1.0 exactly as built · 1 file · chosen for 1 target · audited tiny-1.0-cp313" in text
    assert (document["kind"], document["ok"], document["differences"]) == ("verify", True, [])
    assert [(file["file"], file["state"], file["targets"]) for file in document["files"]] == [
        (wheel.name, "same", ["cp313-manylinux2014_aarch64"])
    ]


def test_the_verb_fails_with_what_was_found_and_expected(release: Release) -> None:
    wheel = release.add()
    release.server.promised[wheel.name] = "0" * 64
    release.server.files["tiny"]["tiny-1.0-py3-none-any.whl"] = b"PK"
    code, text, document = run(release)
    assert code == VerifyFailed.exit_code
    assert f"✘ {wheel.name}" in text
    assert f"    sha256: found {'0' * 64}, expected {release.files[0].sha256}" in text
    assert "✘ tiny-1.0-py3-none-any.whl\n    file: found a file that is not in the wheelhouse, expected nothing" in text
    assert "  try: run crosswheel verify again later" in text
    assert [file["state"] for file in document["files"]] == ["differs"]
    assert len(document["differences"]) == 2


def test_what_the_configuration_promises_is_asked_for_too(release: Release) -> None:
    release.add()
    code, text, _ = run(release, arch=["x86_64"])
    assert code == VerifyFailed.exit_code
    assert "✘ cp313-manylinux2014_x86_64\n    pip's choice: found No matching distribution found for tiny==1.0" in text
