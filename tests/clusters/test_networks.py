"""A worker on another host: a network namespace, 20 ms away, whose connection is cut meanwhile; by TLS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import crosswheel as cw
from clusters.processes import Cluster, cluster, sleepers, wait_for
from clusters.slow_link import HERE, NoLinkError, SlowLink, slow_link
from clusters.test_cluster import build, meanwhile_doing
from crosswheel.errors import ClusterUnavailable
from crosswheel.fleet.certificates import make_certificates

pytestmark = pytest.mark.slow

DELAY = 0.02  # seconds
CUT = 3.0


@pytest.fixture
def link() -> Iterator[SlowLink]:
    pytest.importorskip("distributed")
    try:
        with slow_link(DELAY) as made:
            yield made
    except NoLinkError as error:
        pytest.skip(str(error))


def test_a_far_worker_survives_a_cut(link: SlowLink, tmp_path: Path, project: Path) -> None:
    folder, certificates = tmp_path / "cluster", tmp_path / "certificates"
    folder.mkdir()
    make_certificates(certificates)
    seconds = "8.1177"
    with cluster(folder, host=HERE, certificates=certificates) as made:
        made.start_worker("far", prefix=link.prefix)

        def cut() -> None:
            wait_for(lambda: sleepers(seconds))
            link.is_cut.set()
            time.sleep(CUT)
            link.is_cut.clear()

        def run() -> cw.Report:
            return build(made, project, waits=seconds, certificates=certificates)

        report = meanwhile_doing(cut, run)
        assert [outcome.status for outcome in report.outcomes] == ["pure"]
        assert report.outcomes[0].worker == "far"
        _refuses_strangers(made, tmp_path, project)


def _refuses_strangers(made: Cluster, tmp_path: Path, project: Path) -> None:
    make_certificates(tmp_path / "others")
    with pytest.raises(ClusterUnavailable, match="no scheduler answers"):
        build(made, project, certificates=tmp_path / "others")
