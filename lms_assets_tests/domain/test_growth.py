"""With more people a plan takes as much more work. Counted, not timed: steps of the interpreter, passes over a list.

A list that is gone through again for each person costs nothing at 22 people and half an hour at 220,000.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Set
from types import FrameType
from typing import Any
from unittest import mock

import pytest

from lms_assets.domain.records.contacts import StoredContact
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.confirmation import ListingResult
from lms_assets.domain.sync_plans.contacts import doubtful_contacts, plan_contacts
from lms_assets.domain.sync_plans.users import doubtful_users, plan_users
from lms_assets_tests.domain.test_sync_plans import EMPLOYERS, contact, stored_user, user

FEW, TIMES = 40, 16


def steps_of(call: Callable[[], object]) -> int:
    """How many steps the interpreter takes in it, in the rules alone: others' garbage may be collected meanwhile."""
    steps = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal steps
        if not frame.f_globals.get("__name__", "").startswith("lms_assets.domain."):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        steps += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return steps


class Counted(Set[str]):
    """Ids that count how often somebody goes through them, which no step of the interpreter shows."""

    passes = 0

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = set(ids)

    def __contains__(self, value: object) -> bool:
        return value in self.ids

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        Counted.passes += 1
        return iter(self.ids)


def users(number: int) -> None:
    """Half of the stored people came, a quarter cannot be read, a quarter is missing."""
    stored = {f"u{place}": stored_user(f"u{place}") for place in range(number)}
    keys = list(stored)
    rejected = [Rejected("bad", "user", key, "why") for key in keys[1::4]]
    listing = ListingResult(tuple(user(key) for key in keys[::2]), tuple(rejected))
    doubtful_users(listing, stored, Rules())
    plan_users(listing, stored, {})


def contacts(number: int) -> None:
    """Everybody came twice under two ids, and both had been stored."""
    listing = ListingResult(tuple(contact(1000 + place, f"p{place // 2}@partner.example") for place in range(number)))
    stored = [
        StoredContact(place, f"p{place // 2}@partner.example" if place % 2 else None, 1000 + place, True)
        for place in range(number)
    ]
    came = {each.impartner_id for each in listing.accepted}
    doubtful_contacts(listing, came, came, EMPLOYERS)
    plan_contacts(listing, came, stored, EMPLOYERS, {})


@pytest.mark.parametrize("plan", [users, contacts])
def test_the_steps_grow_as_the_people_do(plan: Callable[[int], None]) -> None:
    plan(FEW)
    assert steps_of(lambda: plan(TIMES * FEW)) < (TIMES + 1) * steps_of(lambda: plan(FEW))


def test_people_who_cannot_be_read_are_gone_through_once_for_all() -> None:
    counted = property(lambda self: Counted(each.entity_id for each in self.bad))
    passes = []
    with mock.patch.object(ListingResult, "bad_ids", counted):
        for number in (FEW, TIMES * FEW):
            Counted.passes = 0
            users(number)
            passes.append(Counted.passes)
    assert passes[0] == passes[1]
