"""Values as plain data: what comes back is what was sent."""

from __future__ import annotations

import json

import pytest

from crosswheel.fleet.wire import plain, read
from crosswheel.model.job import Outcome, Report, Usage


def test_outcomes_come_back_as_they_were(sample_report: Report) -> None:
    for outcome in sample_report.outcomes:
        assert read(Outcome, json.loads(json.dumps(plain(outcome)))) == outcome


def test_unknown_fields_are_left_out() -> None:
    assert read(Usage, {"memory": 7, "new": "x"}) == Usage(memory=7)


@pytest.mark.parametrize("data", [[], "text", None, {"memory": "much"}, {"memory": [1]}])
def test_another_shape_is_an_error(data: object) -> None:
    with pytest.raises(ValueError, match="no Usage"):
        read(Usage, data)


def test_a_status_is_one_of_those_that_there_are(sample_report: Report) -> None:
    data = plain(sample_report.outcomes[0])
    with pytest.raises(ValueError, match="no Outcome"):
        read(Outcome, {**data, "status": "excellent"})
