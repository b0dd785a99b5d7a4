"""Running it: in the foreground as a command does, side by side, and under many callers at once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import requests

from lms_assets.sandbox import NORTHPASS_KEY, SandboxConfig, introduction, running_sandbox
from lms_assets_tests.sandbox.callers import Caller, settings

_SERVE = """
from lms_assets.sandbox import SandboxConfig, introduction, serve
config = SandboxConfig(scale=0.01)
serve(config, port=0, ready=lambda url: print(introduction(config, url), flush=True))
"""


def test_served_in_the_foreground_it_says_where_it_is_and_ends_when_told():
    with subprocess.Popen([sys.executable, "-c", _SERVE], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = dict(process.stdout.readline().strip().split("=", 1) for _ in range(2))
            headers = {"X-Api-Key": lines["NORTHPASS_API_KEY"]}
            answer = requests.get(lines["NORTHPASS_BASE_URL"] + "/groups", headers=headers, timeout=10)
            assert answer.json()["data"]
        finally:
            process.terminate()
            assert process.wait(timeout=10) is not None


def test_the_introduction_holds_the_variables_that_the_product_reads():
    text = introduction(SandboxConfig(), "http://127.0.0.1:1")
    assert "NORTHPASS_BASE_URL=http://127.0.0.1:1/v2\n" in text
    assert "IMPARTNER_BASE_URL=http://127.0.0.1:1/api/objects/v1\n" in text
    assert f"NORTHPASS_API_KEY={NORTHPASS_KEY}\n" in text


def test_two_sandboxes_side_by_side_do_not_share_anything():
    with running_sandbox(settings()) as one, running_sandbox(settings()) as other:
        one.mutate("rename_account", account=1001, name="Only here")
        assert Caller(other).impartner("/Account/1001").json()["data"]["name"] != "Only here"
        assert other.stats()["impartner"]["calls"] == 1
        assert one.stats()["impartner"]["calls"] == 0


def test_without_a_time_of_its_own_the_clock_runs_and_the_data_refers_to_the_hour():
    with running_sandbox(SandboxConfig(scale=0.01)) as handle:
        assert handle.vendor_state.now.endswith(":00:00Z")
        assert handle.mutate("clock") >= handle.vendor_state.now


def test_many_callers_at_once_are_all_counted_and_the_limit_holds_to_the_call():
    with running_sandbox(settings(northpass_rps=25)) as handle, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: Caller(handle).northpass("/groups?limit=1").status_code, range(60)))
        stats = handle.stats()["northpass"]
    assert stats["calls"] == 60
    assert stats["throttled"] == answers.count(429)
    assert answers.count(200) + answers.count(429) == 60
    assert answers.count(200) >= 25


def test_calls_over_an_uneven_way_are_recorded_as_they_arrive():
    config = settings(northpass_rps=0, jitter_ms=5, record_calls=True)
    with running_sandbox(config) as handle, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda page: Caller(handle).northpass(f"/people?limit=5&page={page}"), range(1, 31)))
        arrivals = requests.get(f"{handle.control_url}/arrivals", timeout=10).json()["arrivals"]
        handle.reset_stats()
        assert requests.get(f"{handle.control_url}/arrivals", timeout=10).json()["arrivals"] == []
    addresses = [address for _, vendor, endpoint, address, status, size in arrivals if size and status == 200]
    assert sorted(addresses) == sorted(f"/people?limit=5&page={page}" for page in range(1, 31))
    assert {(vendor, endpoint) for _, vendor, endpoint, *_ in arrivals} == {("northpass", "GET /people")}
