"""The vendors' rate limit: so many requests in any one second, a sliding window, not one of them missed."""

from __future__ import annotations

from collections import deque

_WINDOW_SECONDS = 1.0


class SlidingSecond:
    """Admits at most `limit` requests in any window of one second; 0 admits all. Times are monotonic seconds.

    Refused requests do not use up the limit, but `most_in_one_second` counts them too: it tells what was sent.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.most_in_one_second = 0
        self.refused = 0
        self._admitted: deque[float] = deque()
        self._arrived: deque[float] = deque()

    def admit(self, arrived: float) -> bool:
        """Whether a request stamped `arrived` is within the limit; stamps must not decrease."""
        _forget(self._arrived, arrived)
        self._arrived.append(arrived)
        self.most_in_one_second = max(self.most_in_one_second, len(self._arrived))
        _forget(self._admitted, arrived)
        if self.limit and len(self._admitted) >= self.limit:
            self.refused += 1
            return False
        self._admitted.append(arrived)
        return True

    def seconds_until_free(self, arrived: float) -> float:
        """How long after `arrived` the next request can be admitted."""
        if not self.limit or len(self._admitted) < self.limit:
            return 0.0
        return max(0.0, self._admitted[0] + _WINDOW_SECONDS - arrived)

    def reset_counters(self) -> None:
        """Forget what was counted; the window itself goes on."""
        self.most_in_one_second = 0
        self.refused = 0


def _forget(stamps: deque[float], now: float) -> None:
    while stamps and stamps[0] <= now - _WINDOW_SECONDS:
        stamps.popleft()
