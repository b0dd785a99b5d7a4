"""Never more than so many in any one second, and hardly fewer: with a clock that the test moves."""

from __future__ import annotations

import heapq
import json
import random
import stat
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from lms_assets.sandbox.calls.rate_limit import SlidingSecond
from lms_assets.vendors.transport.rate_limit import FileRequestLog, NoFreeSlot, RateLimiter, shared_limiter
from lms_assets_tests.harness.waits import LONGEST_SECONDS

NANOSECONDS = 1_000_000_000


class Time:
    """A clock that only moves when somebody sleeps. `late`: seconds by which a sleeper wakes up too late."""

    def __init__(self, start: float = 1000.0, late: float = 0.0) -> None:
        self.nanoseconds = int(start * NANOSECONDS)
        self.late = late
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        return self.nanoseconds / NANOSECONDS

    def clock(self) -> int:
        return self.nanoseconds

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.nanoseconds += int((seconds + self.late) * NANOSECONDS)


def limiter(rate: float, time: Time, file: Path | None = None) -> RateLimiter:
    return RateLimiter(rate, log=file and FileRequestLog(file), clock=time.clock, sleep=time.sleep)


def send(limited: RateLimiter, time: Time, number: int, on_the_way: float = 0.0) -> list[float]:
    moments = []
    for _ in range(number):
        with limited.slot():
            time.sleep(on_the_way) if on_the_way else None
            moments.append(time.seconds)
    return moments


def most_in_a_second(moments: list[float]) -> int:
    return max(sum(1 for later in moments[place:] if later < first + 1) for place, first in enumerate(moments))


@pytest.mark.parametrize(("rate", "share"), [(1, 0.979), (2, 0.979), (5, 0.979), (10, 0.979), (100, 0.93), (200, 0.93)])
def test_any_one_second_holds_at_most_the_rate_and_on_average_nearly_all_of_it(rate: int, share: float) -> None:
    time = Time()
    moments = send(limiter(rate, time), time, rate * 20)
    assert share * rate < most_in_a_second(moments) <= rate
    assert len(moments) / (moments[-1] - moments[0] + 1 / rate) >= share * rate


def test_a_rate_below_one_a_second_spreads_the_requests() -> None:
    time = Time()
    moments = send(limiter(0.5, time), time, 5)
    assert all(later - earlier >= 2 for earlier, later in pairwise(moments))


def test_a_burst_is_spread() -> None:
    time = Time()
    moments = send(limiter(10, time), time, 10)
    assert 0.4 <= moments[-1] - moments[0] < 0.6


def test_requests_held_up_on_their_way_count_from_when_they_left() -> None:
    time = Time()
    limited = limiter(10, time)
    moments = send(limited, time, 5, on_the_way=0.09) + send(limited, time, 40)
    assert most_in_a_second(moments) <= 10


def test_waking_up_late_does_not_let_more_through() -> None:
    time = Time(late=0.03)
    assert most_in_a_second(send(limiter(10, time), time, 100)) <= 10


def test_waiting_is_bounded() -> None:
    time = Time()
    limited = limiter(0.01, time)
    send(limited, time, 1)
    with pytest.raises(NoFreeSlot), limited.slot(longest_wait=5):
        pass


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_of_nothing_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        RateLimiter(rate)


def test_two_limiters_with_one_file_share_the_rate(tmp_path: Path) -> None:
    time, file = Time(), tmp_path / "state" / "requests.log"
    one, other = limiter(10, time, file), limiter(10, time, file)
    moments = [send(one if turn % 3 else other, time, 1)[0] for turn in range(100)]
    assert most_in_a_second(moments) <= 10
    assert 100 / (moments[-1] - moments[0]) >= 9.79


def test_a_new_process_knows_what_the_last_one_sent(tmp_path: Path) -> None:
    time, file = Time(), tmp_path / "requests.log"
    moments = send(limiter(10, time, file), time, 10) + send(limiter(10, time, file), time, 10)
    assert most_in_a_second(moments) <= 10


def test_moments_from_before_a_reboot_do_not_block(tmp_path: Path) -> None:
    file = tmp_path / "requests.log"
    before = Time(start=500_000)
    send(limiter(10, before, file), before, 10)
    after = Time(start=20)
    assert send(limiter(10, after, file), after, 1) == [20]


@pytest.mark.parametrize("content", [b"", b"x", b"not what it should be", b"\xff" * 16, b"\x00" * 64])
def test_a_damaged_file_does_not_block(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "requests.log"
    file.write_bytes(content)
    time = Time()
    assert len(send(limiter(10, time, file), time, 3)) == 3


def test_the_files_are_for_their_owner_only_and_hold_no_key(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    limited = shared_limiter(
        "https://api.example.com/v2", "a-secret-key", 10, log_of=lambda name: FileRequestLog(directory / name)
    )
    with limited.slot():
        pass
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for file in directory.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert b"secret" not in file.read_bytes()
        assert "secret" not in file.name


def test_clients_of_one_key_share_a_limiter_and_others_do_not() -> None:
    mine = shared_limiter("https://api.example.com/v2", "key-1", 10)
    assert shared_limiter("https://api.example.com/v2", "key-1", 10) is mine
    assert shared_limiter("https://api.example.com/v2", "key-2", 10) is not mine
    assert shared_limiter("https://other.example.com/v2", "key-1", 10) is not mine


_PROCESS = """
import json, sys, threading, time
from pathlib import Path
from lms_assets.vendors.transport.rate_limit import FileRequestLog, RateLimiter
limited, moments = RateLimiter(40, log=FileRequestLog(Path(sys.argv[1]))), []
def work():
    for _ in range(10):
        with limited.slot():
            moments.append(time.monotonic())
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(moments))
"""


def test_threads_of_several_processes_share_the_rate(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PROCESS, str(tmp_path / "requests.log")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    moments = sorted(
        moment for process in running for moment in json.loads(process.communicate(timeout=LONGEST_SECONDS)[0])
    )
    assert len(moments) == 80
    assert most_in_a_second(moments) <= 40


def longest_gap_of_eleven(moments: list[float]) -> float:
    return max(later - first for first, later in zip(moments, moments[10:], strict=False))


def test_after_a_refusal_more_distance_is_kept_and_given_up_again_when_all_is_calm() -> None:
    """A way to the vendor that is less even than the window allows for shows as a 429: it must not become the rule."""
    time = Time()
    limited = limiter(10, time)
    before = longest_gap_of_eleven(send(limited, time, 40))
    limited.refused()
    after = longest_gap_of_eleven(send(limited, time, 60)[20:])
    assert after >= before + 0.059
    send(limited, time, 3000)
    assert longest_gap_of_eleven(send(limited, time, 40)) == pytest.approx(before, abs=0.001)


def test_distance_does_not_grow_without_bound() -> None:
    time = Time()
    limited = limiter(10, time)
    for _ in range(20):
        limited.refused()
        send(limited, time, 11)
    assert longest_gap_of_eleven(send(limited, time, 40)) < 1.25


def refusals(rate: int, jitter: float, calls: int, files: list[Path | None], held_up: float = 0.0) -> int:
    """How many of so many requests a vendor refuses, 60 ms away on a way that is uneven by `jitter` seconds.

    They go out at full speed, in turns from as many processes as there are `files`; a refused one is sent again.
    Every 1.7 seconds what would arrive within `held_up` seconds arrives together at their end.
    """
    time, chance = Time(), random.Random(1)
    limiters = [limiter(rate, time, file) for file in files]
    vendor = SlidingSecond(rate)
    on_the_way: list[tuple[float, int]] = []

    def let_arrive(until: float) -> None:
        while on_the_way and on_the_way[0][0] <= until:
            arrived, sender = heapq.heappop(on_the_way)
            if not vendor.admit(arrived):
                limiters[sender].refused()

    for number in range(calls):
        sender = number % len(limiters)
        send(limiters[sender], time, 1)
        arrives = time.seconds + 0.06 + chance.uniform(-jitter, jitter)
        heapq.heappush(on_the_way, (max(arrives, arrives // 1.7 * 1.7 + held_up), sender))
        let_arrive(time.seconds)
    let_arrive(time.seconds + 1)
    return vendor.refused


@pytest.mark.parametrize("rate", [10, 200])
def test_no_request_is_refused_on_a_way_that_is_uneven_by_ten_milliseconds(rate: int, tmp_path: Path) -> None:
    file = tmp_path / "requests.log"
    assert refusals(rate, 0.01, 3000, [None]) == 0
    assert refusals(rate, 0.01, 1000, [file, file]) == 0


def test_at_a_high_rate_requests_that_arrive_late_and_together_are_not_refused() -> None:
    assert refusals(200, 0.01, 2000, [None], held_up=0.055) == 0


@pytest.mark.parametrize("rate", [10, 200])
def test_on_a_way_uneven_by_forty_milliseconds_one_in_five_hundred_is_refused(rate: int, tmp_path: Path) -> None:
    file = tmp_path / "requests.log"
    assert refusals(rate, 0.04, 6000, [None]) <= 6000 // 500
    assert refusals(rate, 0.04, 1000, [file, file]) <= 1000 // 500
