"""The certificates of a cluster: who trusts whom, and who may read them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

x509 = pytest.importorskip("cryptography.x509")

from crosswheel import commands  # noqa: E402
from crosswheel.errors import UsageError  # noqa: E402
from crosswheel.fleet.certificates import make_certificates  # noqa: E402


def test_one_authority_signs_all_and_files_are_the_owners(tmp_path: Path) -> None:
    files = make_certificates(tmp_path / "made")
    assert [path.name for path in files[:4]] == ["ca.pem", "ca-key.pem", "scheduler.pem", "scheduler-key.pem"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    authority = x509.load_pem_x509_certificate(files[0].read_bytes())
    for path in files[2::2]:
        x509.load_pem_x509_certificate(path.read_bytes()).verify_directly_issued_by(authority)


def test_there_are_none_a_second_time(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    before = (tmp_path / "ca.pem").read_bytes()
    with pytest.raises(UsageError, match=r"ca\.pem exists"):
        make_certificates(tmp_path)
    assert (tmp_path / "ca.pem").read_bytes() == before


def test_the_verb_says_which_machine_needs_which_files(tmp_path: Path) -> None:
    import io

    stream = io.StringIO()
    assert commands.run_verb("certificates", tmp_path, {"certificates": "own"}, stream) == 0
    assert "worker: ca.pem, worker.pem, worker-key.pem" in stream.getvalue()
    assert "dask scheduler --protocol tls" in stream.getvalue()
