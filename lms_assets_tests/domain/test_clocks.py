"""How far apart two clocks may be."""

from __future__ import annotations

import pytest

from lms_assets.domain.safety.run_instants import ClockDiffers, require_same_time


@pytest.mark.parametrize("seconds", [None, 0, 299.9, 300, -300])
def test_up_to_five_minutes_or_nothing_said_is_well(seconds):
    require_same_time("Northpass", seconds)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (301, "clock is 0:05:01 behind Northpass's"),
        (-301, "clock is 0:05:01 ahead of Northpass's"),
        (-259_200, "clock is 3 days, 0:00:00 ahead of Northpass's"),
    ],
)
def test_more_stops_and_says_which_way_and_what_to_do(seconds, told):
    with pytest.raises(ClockDiffers) as stopped:
        require_same_time("Northpass", seconds)
    assert told in str(stopped.value)
    assert "Set the clock (NTP), then start a new run" in str(stopped.value)
