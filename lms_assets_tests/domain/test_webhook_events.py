"""Whose completion a webhook message tells of, wherever the person stands in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lms_assets.domain.records.completions import (
    COURSE_COMPLETED,
    EVERYBODY_AGAIN_AFTER,
    FIRST_LOOK,
    LOG_KEPT,
    Completion,
    Gap,
    completion_from_message,
    gap_in,
    look_from,
    recent_messages,
)
from lms_assets.domain.records.values import Rejected

PERSON = {"person": {"data": {"type": "people", "id": "p-1"}}}


def message(payload: Any, **more: Any) -> dict[str, Any]:
    return {"id": "m-1", "attributes": {"type": COURSE_COMPLETED, "payload": payload, **more}}


def event(**parts: Any) -> dict[str, Any]:
    return {"data": {"id": "e-1", "type": COURSE_COMPLETED, **parts}}


@pytest.mark.parametrize(
    ("record", "key"),
    [
        (message(event(relationships=PERSON)), "e-1"),
        (message(json.dumps(event(relationships=PERSON))), "e-1"),
        (message(event(attributes={"person_id": "p-1"})), "e-1"),
        (message(event(attributes={"payload": {"data": {"relationships": PERSON}}})), "e-1"),
        (message(event(attributes={"payload": json.dumps({"data": {"attributes": {"person_id": "p-1"}}})})), "e-1"),
        (message({"person_id": "p-1", "id": "the course"}), "m-1"),
        (message({"payload": {"person_id": "p-1"}}), "m-1"),
        (message({}, person_id="p-1"), "m-1"),
        (message(None, person_id="p-1"), "m-1"),
        (message({}) | {"relationships": PERSON}, "m-1"),
        # The event's own person, not the one that the message around it may name.
        (message(event(relationships=PERSON), person_id="the subscriber"), "e-1"),
    ],
)
def test_the_person_is_found_wherever_it_stands(record: dict[str, Any], key: str):
    assert completion_from_message(record) == Completion(key, "p-1")


@pytest.mark.parametrize(
    "record",
    [
        message({}),
        message("no JSON"),
        message(event(relationships={"person": {"data": None}})),
        message(event(relationships={"person": {"data": {"id": {}}}})),
        {"id": "m-1", "attributes": {"payload": event(relationships=PERSON)}},
        {"id": "m-1", "attributes": {"type": 7}},
        {"id": "m-1"},
    ],
)
def test_what_names_nobody_is_set_aside_with_its_id(record: dict[str, Any]):
    rejected = completion_from_message(record)
    assert isinstance(rejected, Rejected)
    assert (rejected.kind, rejected.entity_type, rejected.entity_id) == ("bad", "webhook_message", "m-1")


@pytest.mark.parametrize("record", ["garbage", {"id": ""}, {"id": 7}, {"id": None}, {"id": ["m-1"]}])
def test_a_message_without_a_readable_id_has_a_fingerprint(record: Any):
    rejected = completion_from_message(record)
    assert isinstance(rejected, Rejected)
    assert rejected.entity_id.startswith("no-id-")


@pytest.mark.parametrize(("levels", "is_found"), [(7, True), (8, False), (50_000, False)])
def test_a_person_is_looked_for_in_eight_levels_and_no_payload_is_too_deep(levels: int, is_found: bool):
    payload: Any = {"person_id": "p-1"}
    for _ in range(levels - 1):
        payload = {"payload": payload}
    found = completion_from_message(message(payload))
    assert (found == Completion("m-1", "p-1")) is is_found
    assert is_found or isinstance(found, Rejected)


def test_other_events_are_nobodys_business():
    assert completion_from_message({"id": "m-1", "attributes": {"type": "course_enrolled_events"}}) is None


SINCE = datetime(2026, 3, 2, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sent(*offsets: int | None) -> list[dict[str, Any]]:
    """Messages of so many hours after `SINCE`; None: with a time that cannot be read."""
    times = [None if each is None else (SINCE + each * HOUR).isoformat() for each in offsets]
    return [{"id": f"m{place}", "attributes": {"created_at": at}} for place, at in enumerate(times)]


@pytest.mark.parametrize(
    ("offsets", "kept", "seen"),
    [
        ((3, 1, 0, -1, -2), [0, 1, 2], 4),  # newest first: the first that is too old ends it
        ((3, 3, -1, -2), [0, 1], 3),
        ((-1, 3), [], 1),
        ((1, 3, -1, 2, -2), [0, 1, 3], 5),  # no order: every message is looked at
        ((1, 3, -1, 2, -2, -3, 0), [0, 1, 3, 6], 7),
        ((None, 3, None, -1), [0, 1, 2], 4),
        ((3, None, 1, -1, 2), [0, 1, 2], 4),
        ((1, None, 3, -1, 2), [0, 1, 2, 4], 5),
        ((), [], 0),
    ],
)
def test_messages_are_read_back_to_an_instant_as_long_as_they_come_newest_first(offsets, kept, seen):
    asked: list[int] = []

    def listing():
        for place, each in enumerate(sent(*offsets)):
            asked.append(place)
            yield each

    assert [int(each["id"][1:]) for each in recent_messages(listing(), SINCE)] == kept
    assert len(asked) == seen


def test_what_is_no_message_is_passed_on_to_be_rejected():
    assert list(recent_messages(["garbage", {"attributes": None}], SINCE)) == ["garbage", {"attributes": None}]


@pytest.mark.parametrize(
    ("read_until", "everybody_read_at", "begin"),
    [
        (None, None, SINCE - FIRST_LOOK),
        (SINCE - HOUR, None, SINCE - HOUR),
        (None, SINCE - 2 * HOUR, SINCE - 2 * HOUR),
        (SINCE - HOUR, SINCE - 2 * HOUR, SINCE - HOUR),
        # The sensor was off for a year, and everybody was read last night.
        (SINCE - timedelta(days=365), SINCE - HOUR, SINCE - HOUR),
    ],
)
def test_the_log_is_read_from_where_completions_are_known(read_until, everybody_read_at, begin):
    assert look_from(read_until, everybody_read_at, SINCE) == begin


@pytest.mark.parametrize(
    ("begin", "unreadable", "reason"),
    [
        (SINCE - LOG_KEPT, 0, None),
        (SINCE - LOG_KEPT, 1, "1 message names nobody"),
        (SINCE - HOUR, 1_200, "1,200 messages name nobody"),
        (SINCE - LOG_KEPT - HOUR, 0, "the log was last read on 2025-12-09, and it holds three months"),
    ],
)
def test_what_the_log_cannot_tell_is_a_gap(begin, unreadable, reason):
    gap = gap_in(begin, unreadable, SINCE)
    assert gap == (None if reason is None else Gap(SINCE, reason))


def test_a_gap_is_open_until_a_chain_that_began_after_it_read_everybody():
    gap = Gap(SINCE, "why")
    assert [gap.is_open(each) for each in (None, SINCE - HOUR, SINCE, SINCE + HOUR)] == [True, True, False, False]


def test_everybody_is_read_at_most_every_six_hours_on_account_of_gaps():
    asked = Gap(SINCE, "why", asked_at=SINCE)
    assert Gap(SINCE, "why").may_ask(SINCE)
    assert not asked.may_ask(SINCE + EVERYBODY_AGAIN_AFTER - timedelta(seconds=1))
    assert asked.may_ask(SINCE + EVERYBODY_AGAIN_AFTER)
