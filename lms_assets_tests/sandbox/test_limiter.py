"""The rate limit that acceptance runs are judged by: it must miss nothing and refuse nothing needlessly."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lms_assets.sandbox.calls.rate_limit import SlidingSecond

# Times in sixteenths of a second: exact in binary, so that a distance of exactly one second is tried often.
_GAPS = st.lists(st.integers(0, 12), min_size=1, max_size=60)


def _times(gaps: list[int]) -> list[float]:
    times, now = [], 1000.0
    for gap in gaps:
        now += gap / 16
        times.append(now)
    return times


@settings(max_examples=200)
@given(gaps=_GAPS, limit=st.integers(1, 5))
def test_in_no_second_are_more_admitted_than_the_limit_and_none_is_refused_below_it(gaps, limit):
    window, admitted = SlidingSecond(limit), []
    for now in _times(gaps):
        in_the_last_second = [time for time in admitted if time > now - 1.0]
        assert window.admit(now) == (len(in_the_last_second) < limit)
        if len(in_the_last_second) < limit:
            admitted.append(now)
    assert window.refused == len(gaps) - len(admitted)


@given(gaps=_GAPS)
def test_the_busiest_second_counts_refused_requests_too(gaps):
    times, window = _times(gaps), SlidingSecond(1)
    for now in times:
        window.admit(now)
    assert window.most_in_one_second == max(sum(start - 1 < time <= start for time in times) for start in times)


def test_without_a_limit_everything_is_admitted():
    window = SlidingSecond(0)
    assert all(window.admit(5.0) for _ in range(1000))
    assert window.seconds_until_free(5.0) == 0


def test_resetting_the_counters_does_not_open_the_window():
    window = SlidingSecond(1)
    assert window.admit(1.0)
    window.reset_counters()
    assert not window.admit(1.5)
    assert window.seconds_until_free(1.5) == 0.5
