"""The ledger of certifications: rows are opened and closed, and it answers as of every counting of the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, text

from lms_assets.domain.counting.certifications import Assessed, Verdict, Via, count
from lms_assets.domain.counting.ledger import deciding, fingerprint
from lms_assets.domain.sync_plans.counts import Ledger, LedgerPlan
from lms_assets.lineage import LEDGER_IN_SQL
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.results.ledger import (
    forget_closed_before,
    ledger_counts,
    ledger_items,
    read_ledger,
    write_ledger,
)
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import SyncCounts

AT = datetime(2026, 3, 2, 2, tzinfo=UTC)
DAY = timedelta(days=1)
GROUP, CONTACT, FURTHER = Via("group", "g1"), Via("contact", "7"), Via("crm_contact", "9001")


def item(
    partner: int = 1, user: str = "ann", course: str = "k2", *, verdict: Verdict = Verdict.COUNTED, **more: object
) -> Assessed:
    made = Assessed(
        partner, user, course, course, "nintex_k2", 2, f"e-{user}-{course}", AT - 30 * DAY, AT + 700 * DAY, (GROUP,),
        verdict,
    )  # fmt: skip
    return replace(made, **more)


def planned(at: datetime, *items: Assessed, newest: datetime | None = None) -> LedgerPlan:
    return LedgerPlan(Ledger(at, at), {fingerprint(each): each for each in items}, (), newest)


def write(warehouse: Warehouse, at: datetime, *items: Assessed) -> SyncCounts:
    with warehouse.read() as connection:
        before = read_ledger(connection)
    plan = planned(at, *items, newest=before.as_of if before else None)
    return warehouse.in_transaction(lambda connection: write_ledger(connection, plan, now=at))


def npcu_at(warehouse: Warehouse, at: datetime | None = None) -> dict[int, int]:
    with warehouse.read() as connection:
        return {k: each.total_npcu for k, each in ledger_counts(connection, [], "go_to_market", at=at).items()}


def stored(warehouse: Warehouse) -> list[tuple[object, ...]]:
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(t.partner_certifications.select())]


def test_rows_that_change_are_closed_and_unchanged_ones_not_touched(warehouse: Warehouse) -> None:
    gone = item(verdict=Verdict.EXPIRED)
    assert write(warehouse, AT, item(), item(user="bob")) == SyncCounts(created=2)
    first = stored(warehouse)
    assert write(warehouse, AT + DAY, item(), item(user="bob")) == SyncCounts(unchanged=2)
    assert stored(warehouse) == first
    assert write(warehouse, AT + 2 * DAY, gone, item(user="bob")) == SyncCounts(created=1, deactivated=1, unchanged=1)

    ann, bob, ann_expired = stored(warehouse)
    assert (ann[:-1], ann[-1], bob) == (first[0][:-1], AT + 2 * DAY, first[1])
    assert ann_expired[-2:] == (AT + 2 * DAY, None)
    assert [npcu_at(warehouse, at) for at in (AT, AT + DAY, AT + 2 * DAY)] == [{1: 4}, {1: 4}, {1: 2}]
    assert npcu_at(warehouse, AT - DAY) == {}


def test_what_is_written_reads_back_as_it_was_judged(warehouse: Warehouse) -> None:
    items = [
        item(via=(CONTACT, FURTHER, GROUP)),
        item(user="bob", via=(CONTACT,), completed_at=None, expires_at=None, verdict=Verdict.NO_COMPLETION_DATE),
        item(2, "cy", verdict=Verdict.NOT_A_PARTNER_USER, other="group g1 is inactive", category=None),
    ]
    write(warehouse, AT, *items)
    with warehouse.transaction() as connection:
        connection.execute(insert(t.lms_courses).values(id="k2", name="K2 Developer"))
    with warehouse.read() as connection:
        found = list(ledger_items(connection))
        assert list(ledger_items(connection, partner_id=1, counted=True)) == found[:1]
        assert list(ledger_items(connection, at=AT - DAY)) == []
        ways = connection.execute(text("SELECT belongs_by, group_ids, contact_ids, reason FROM partner_certifications"))
        assert list(ways) == [
            ("both", "g1", "7 crm:9001", "held until 2028-01-31 02:00:00 UTC"),
            ("contact", "", "7", "completed, but without a date: nobody can say since when"),
            ("group", "g1", "", "group g1 is inactive"),
        ]
    assert found == [replace(each, course_name="K2 Developer") for each in items]
    assert [fingerprint(each) for each in found] == [fingerprint(each) for each in items]


@pytest.mark.parametrize(
    "change",
    [
        {"partner": 2}, {"user": "bob"}, {"course": "ce"}, {"verdict": Verdict.EXPIRED}, {"category": None},
        {"npcu": 1}, {"enrollment_id": "e9"}, {"completed_at": AT}, {"expires_at": AT + DAY},
        {"via": (CONTACT,)}, {"via": (GROUP, CONTACT)}, {"other": "person is disabled"},
    ],
)  # fmt: skip
def test_every_fact_is_in_the_fingerprint(change: dict[str, object]) -> None:
    assert fingerprint(item(**change)) != fingerprint(item())  # type: ignore[arg-type]
    assert fingerprint(item()) == fingerprint(replace(item(), course_name="another name"))


def test_a_second_counting_of_the_same_instant_replaces_what_the_first_found(warehouse: Warehouse) -> None:
    write(warehouse, AT, item())
    write(warehouse, AT, item(npcu=1))
    assert npcu_at(warehouse, AT) == npcu_at(warehouse) == {1: 1}
    assert len(stored(warehouse)) == 2


def test_a_counting_that_a_wrong_clock_dated_into_the_future_is_taken_back(warehouse: Warehouse) -> None:
    write(warehouse, AT, item(), item(user="bob"))
    write(warehouse, AT + 90 * DAY, item(verdict=Verdict.EXPIRED), item(user="bob"), item(user="cy"))
    write(warehouse, AT + DAY, item(), item(user="bob"))
    assert [npcu_at(warehouse, at) for at in (AT, AT + DAY, AT + 91 * DAY, None)] == [{1: 4}] * 4
    with warehouse.read() as connection:
        assert len(list(ledger_items(connection))) == 2


def test_a_counting_that_judged_before_another_was_written_is_refused(warehouse: Warehouse) -> None:
    write(warehouse, AT, item())
    with pytest.raises(ValueError, match="another run"), warehouse.transaction() as connection:
        write_ledger(connection, planned(AT + DAY, newest=AT - DAY), now=AT)
    assert npcu_at(warehouse) == {1: 2}


def test_writing_once_more_after_a_commit_whose_answer_was_lost_changes_nothing(warehouse: Warehouse) -> None:
    for _ in range(2):
        warehouse.in_transaction(lambda connection: write_ledger(connection, planned(AT, item()), now=AT))
    assert len(stored(warehouse)) == 1


def test_nothing_of_a_counting_stays_that_breaks_off(warehouse: Warehouse) -> None:
    write(warehouse, AT, item())
    before = stored(warehouse)

    def breaks_off(connection: object) -> None:
        plan = planned(AT + DAY, item(user="bob"), item(user="cy"), newest=AT)
        write_ledger(connection, plan, now=AT)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warehouse.in_transaction(breaks_off)
    with warehouse.read() as connection:
        ledger = read_ledger(connection)
    assert ledger is not None
    assert (stored(warehouse), ledger.as_of) == (before, AT)


def test_cleanup_removes_what_closed_long_ago_and_the_ledger_says_since_when(
    warehouse: Warehouse,
) -> None:
    write(warehouse, AT, item(), item(user="bob"))
    write(warehouse, AT + DAY, item())
    write(warehouse, AT + 3 * DAY, item(npcu=1))
    now, before = AT + 800 * DAY, AT + 2 * DAY
    assert warehouse.in_transaction(lambda c: forget_closed_before(c, before, now=now)) == 1
    with warehouse.read() as connection:
        ledger = read_ledger(connection)
    assert ledger is not None
    assert [ledger.covers(at) for at in (AT, before, AT + 3 * DAY, AT + 4 * DAY)] == [False, True, True, False]
    assert npcu_at(warehouse, before) == {1: 2}


def test_the_sql_that_the_asset_shows_gives_the_counts(warehouse: Warehouse) -> None:
    write(warehouse, AT, item(), item(user="bob", category=None))
    write(warehouse, AT + DAY, item())
    now, then = (part.split("```")[0] for part in LEDGER_IN_SQL.split("```sql")[1:])
    with warehouse.read() as connection:
        assert [tuple(row) for row in connection.execute(text(now))] == [(1, "nintex_k2", 1, 2)]
        past = connection.execute(text(then), {"instant": f"{AT + timedelta(hours=1):%Y-%m-%d %H:%M:%S}"})
        assert sorted(map(tuple, past), key=str) == [(1, "nintex_k2", 1, 2), (1, None, 1, 2)]


verdicts = st.sampled_from(list(Verdict))


@given(st.lists(st.tuples(st.sampled_from("abc"), verdicts, st.integers(0, 3)), max_size=12))
def test_of_several_attempts_the_one_nearest_to_counting_decides(attempts: list[tuple[str, Verdict, int]]) -> None:
    """At most one attempt at a course counts, as the judgement has it; counts then are those of all attempts."""
    judged: list[Assessed] = []
    for number, (course, verdict, days) in enumerate(sorted(attempts, key=lambda each: each[0])):
        counts = verdict is Verdict.COUNTED and any(each.course_id == course and each.counted for each in judged)
        said = Verdict.SAME_COURSE if counts else verdict
        judged.append(item(course=course, verdict=said, enrollment_id=f"e{number}", expires_at=AT + days * DAY))
    rows = list(deciding(judged))
    assert len({each.course_id for each in rows}) == len(rows)
    assert count(rows) == count(judged)
    for row in rows:
        others = {each.verdict for each in judged if each.course_id == row.course_id}
        assert row.counted == (Verdict.COUNTED in others)
        assert row.verdict not in (Verdict.NO_NPCU, Verdict.SAME_COURSE)
