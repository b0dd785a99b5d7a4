"""Fault rules: how they come and go, and which calls they hit."""

from __future__ import annotations

import pytest
import requests

from lms_assets.sandbox.faults.kinds import KINDS
from lms_assets.sandbox.faults.switchboard import FaultRule


def test_rules_come_and_go_over_http_and_tell_how_often_they_hit(caller):
    added = caller.control("/faults", kind="server_error", endpoint="GET /people", first=2, options={"status": 503})
    assert [caller.northpass("/people").status_code for _ in range(3)] == [503, 503, 200]
    listing = caller.control("/faults")
    (rule,) = listing["rules"]
    assert (rule["number"], rule["matched"], rule["hits"]) == (added["number"], 3, 2)
    assert set(listing["kinds"]) == set(KINDS)
    url = f"{caller.handle.control_url}/faults"
    assert requests.delete(f"{url}/{added['number']}", timeout=10).ok
    assert requests.delete(f"{url}/{added['number']}", timeout=10).status_code == 422
    assert requests.post(f"{url}/reset", timeout=10).ok
    assert caller.control("/faults")["rules"] == []


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "nonsense"},
        {"kind": "slow", "share": 2},
        {"kind": "slow", "options": {"minutes": 1}},
        {"kind": "slow", "nonsense": 1},
        {},
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_and_not_in_force(caller, rule):
    answer = requests.post(f"{caller.handle.control_url}/faults", json=rule, timeout=10)
    assert (answer.status_code, answer.json()["ok"]) == (422, False)
    assert caller.control("/faults")["rules"] == []


def test_a_share_of_calls_is_hit_and_the_same_ones_again_after_a_reset(caller):
    def hit():
        caller.handle.faults.reset()
        caller.handle.faults.add("server_error", "GET /groups", share=0.5)
        return [caller.northpass("/groups?limit=1").status_code for _ in range(40)]

    first = hit()
    assert 8 <= first.count(500) <= 32
    assert hit() == first


def test_a_rule_can_name_one_record_and_leaves_the_others_alone(caller):
    one, other, *_ = caller.vendor_state.people
    caller.handle.faults.add("server_error", f"GET /transcripts/{one}")
    assert caller.northpass(f"/transcripts/{one}").status_code == 500
    assert caller.northpass(f"/transcripts/{other}").status_code == 200


def test_paging_faults_count_only_the_pages_they_can_hit(caller):
    caller.handle.faults.add("page_drift_removed", "GET /people", first=1)
    everyone = list(caller.vendor_state.people)
    found = caller.ids("/people")
    assert found[:101] == [*everyone[:100], everyone[101]]
    assert set(everyone) - set(found) == {everyone[100]}
    assert caller.ids("/people") == everyone


def test_several_faults_can_hit_one_call(caller):
    caller.handle.faults.add("cut_short", "GET /people", keep=3)
    caller.handle.faults.add("null_field", "GET /people", field="email")
    caller.handle.faults.add("clock_skew", "GET /people")
    rows = caller.rows("/people")
    assert len(rows) == 3
    assert rows[0]["attributes"]["email"] is None


def test_a_rule_cannot_be_made_wrong_in_the_same_process_either():
    with pytest.raises(ValueError, match="unknown fault kind"):
        FaultRule(kind="nonsense")
