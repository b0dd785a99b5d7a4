"""A vendor's clock against this machine's, from the headers of its answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from lms_assets.vendors.transport.client import KEPT, ClockComparison
from lms_assets_tests.vendors.scripted import ScriptedServer, northpass

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)


def of(*ahead: float) -> ClockComparison:
    clock = ClockComparison()
    for seconds in ahead:
        clock.note({"Date": format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)}, NOW)
    return clock


@pytest.mark.parametrize(
    ("ahead", "median"),
    [((), None), ((7200,), 7200), ((0, 7200), 0), ((7200, 0, 7200), 7200), ((-7200, 1, 2), 2), ((-10, -20, -30), -20)],
)
def test_the_median_of_the_answers_counts_so_that_an_odd_one_says_nothing(ahead, median):
    assert of(*ahead).seconds_ahead == median


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}, {"Date": ""}])
def test_an_answer_without_a_readable_date_is_passed_over(headers):
    clock = ClockComparison()
    clock.note(headers, NOW)
    assert clock.seconds_ahead is None


def test_what_a_cache_kept_for_a_while_is_no_clock_that_is_behind():
    clock = ClockComparison()
    clock.note({"Date": format_datetime(NOW - timedelta(hours=1), usegmt=True), "Age": "3600"}, NOW)
    assert clock.seconds_ahead == 0


def test_only_the_latest_answers_are_kept():
    clock = of(*[7200] * KEPT, *[0] * KEPT)
    assert clock.seconds_ahead == 0


def test_every_answer_of_a_client_is_compared(server: ScriptedServer) -> None:
    client = northpass(server)
    list(client.courses())
    assert client.http.clock.seconds_ahead == pytest.approx(0, abs=60)
