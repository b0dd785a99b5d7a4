"""A resumed chain does not undo what was read since: its staged transcripts are older than the stored ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

import dagster as dg
import pytest
from sqlalchemy import select

from lms_assets.assets.sync_run import Step
from lms_assets.assets.tier_3_enrollments import read_ahead as module
from lms_assets.assets.tier_3_enrollments.people_to_read import current_partner_users
from lms_assets.run_tags import AS_OF_TAG
from lms_assets.warehouse.reading.people import stored_affiliations
from lms_assets.warehouse.results.counts import last_counted
from lms_assets.warehouse.schema.tables import transcript_staging
from lms_assets_tests.assets.queries import row_of
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import ChainHarness, ChainResult, QuickNorthpass, QuickWarehouse
from lms_assets_tests.harness.waits import comes_about

LEFT = ("enrollments", "partner_certifications", "partner_cert_counts", "pushed_partner_cert_counts")


@contextmanager
def of_one_chain() -> Iterator[None]:
    """Whatever runs in here is one chain and its continuations, as `--resume` makes them."""
    with mock.patch.object(Step, "chain_key", "the first run"):
        yield


class Interrupted:
    """A chain that failed among the transcripts, and what its person completes afterwards."""

    def __init__(self, harness: ChainHarness) -> None:
        self.harness = harness
        self.started_at = harness.now
        harness.advance(minutes=10)
        harness.sandbox.faults.add("server_error", "GET /transcripts/*", after=39)
        with of_one_chain():
            failed = harness.run(assets=LEFT, tags={AS_OF_TAG: self.started_at.isoformat()})
        harness.sandbox.faults.reset()
        assert failed.failed == ("enrollments",)
        self.staged = staged(harness)
        self.person, self.course, self.partner = somebody(harness, self.staged)

    def resume(self) -> ChainResult:
        with of_one_chain():
            return self.harness.run(assets=LEFT, tags={AS_OF_TAG: self.started_at.isoformat()})

    @property
    def npcu(self) -> int:
        """The partner's points in the portal."""
        return int(row_of(self.harness, "partners", id=self.partner["id"])["total_npcu"])

    @property
    def shown(self) -> Any:
        """The partner's points in the CRM."""
        return self.harness.sandbox.vendor_state.accounts[self.partner["impartner_id"]].total_npcu


def somebody(harness: ChainHarness, people: set[str]) -> tuple[str, str, dict[str, Any]]:
    """One of these people who count for a partner with points, and a certification of one point never begun by them."""
    with harness.warehouse.read() as connection:
        counting = {(each.user_id, each.partner_id) for each in stored_affiliations(connection) if not each.obstacle}
    stored = harness.rows("lms_enrollments")
    partners = {row["id"]: row for row in harness.rows("partners") if row["total_npcu"]}
    for person, partner in sorted(counting):
        if person in people and partner in partners:
            taken = {each["course_id"] for each in stored if each["user_id"] == person}
            courses = harness.rows("lms_courses")
            live = [each["id"] for each in courses if each["npcu_value"] == 1 and each["status"] == "live"]
            return person, next(each for each in live if each not in taken), partners[partner]
    raise AssertionError("none of them counts for a partner with points")


def staged(harness: ChainHarness) -> set[str]:
    with harness.warehouse.read() as connection:
        return set(connection.execute(select(transcript_staging.c.person_id)).scalars())


def transcripts_asked(harness: ChainHarness) -> set[str]:
    """Whose transcripts the sandbox was asked for since its figures were reset."""
    return {call["path"].rpartition("/")[2] for call in harness.sandbox.calls() if "/transcripts/" in call["path"]}


def counted_as_of(harness: ChainHarness) -> datetime:
    with harness.warehouse.read() as connection:
        counted = last_counted(connection)
    assert counted is not None
    return counted.as_of


def test_resuming_keeps_what_an_incremental_has_read_since(synced: ChainHarness) -> None:
    chain = Interrupted(synced)
    before = chain.npcu
    synced.advance(hours=1)
    synced.sandbox.mutate("complete_course", person=chain.person, course=chain.course)
    synced.advance(minutes=5)
    assert synced.run("enrollments_incremental").success
    assert synced.run("push_to_impartner").success
    assert (chain.npcu, chain.shown) == (before + 1, before + 1)
    as_of, marks = counted_as_of(synced), read_marks(synced)
    synced.advance(hours=1)
    synced.sandbox.reset_stats()

    resumed = chain.resume()
    assert resumed.success, resumed.errors
    assert (chain.npcu, chain.shown) == (before + 1, before + 1)
    assert counted_as_of(synced) == as_of, "not as of an instant before the newest counting"
    after = read_marks(synced)
    assert all(after[person] >= at for person, at in marks.items()), "no mark moves back"
    assert resumed.metadata["enrollments"]["people_resumed"] == len(chain.staged) - 1, "the others are not read again"
    assert not staged(synced)
    assert differences(synced) == []
    synced.advance(hours=1)
    synced.sandbox.reset_stats()
    following = synced.run("enrollments_incremental")
    assert following.success
    assert following.metadata["enrollments"]["people_read"] < len(after), "only who is due"


def read_marks(harness: ChainHarness) -> dict[str, datetime]:
    """As of when each person was last read completely."""
    return {
        row["id"]: row["enrollment_synced_at"]
        for row in harness.rows("lms_users")
        if row["enrollment_synced_at"] is not None
    }


def test_resuming_keeps_what_was_read_in_part_since(synced: ChainHarness) -> None:
    """A reading that is not complete adds what it shows; a staged one that lacks it must not take it away."""
    chain = Interrupted(synced)
    before = chain.npcu
    synced.advance(hours=1)
    synced.sandbox.mutate("complete_course", person=chain.person, course=chain.course)
    synced.sandbox.faults.add(
        "wrong_type", f"GET /transcripts/{chain.person}", field="attributes.completed_at", value="yesterday"
    )
    assert synced.run("enrollments_incremental").success
    synced.sandbox.faults.reset()
    kept = {row["id"] for row in synced.rows("lms_enrollments") if row["user_id"] == chain.person}
    resumed = chain.resume()
    assert resumed.success, resumed.errors
    assert kept <= {row["id"] for row in synced.rows("lms_enrollments") if row["user_id"] == chain.person}
    assert chain.npcu == before + (0 if chain.started_at == counted_as_of(synced) else 1)


def test_who_came_to_a_partner_after_being_read_is_read_again(synced: ChainHarness) -> None:
    """Read, kept, and only then seen in another partner's group: that partner's count rests on a later reading."""
    chain = Interrupted(synced)
    active = {row["id"] for row in synced.rows("partners") if row["is_active"]} - {chain.partner["id"]}
    group = next(row["id"] for row in synced.rows("lms_groups") if row["is_active"] and row["partner_id"] in active)
    synced.sandbox.mutate("add_member", group=group, person=chain.person)
    synced.advance(minutes=5)
    with of_one_chain():
        assert synced.run(assets=("memberships",), tags={AS_OF_TAG: chain.started_at.isoformat()}).success
    synced.advance(minutes=5)
    resumed = chain.resume()
    assert resumed.success, resumed.errors
    assert "no_partner_is_withheld" not in resumed.red
    assert resumed.metadata["enrollments"]["people_resumed"] == len(chain.staged) - 1, "the others are not read again"
    assert differences(synced) == []


def reading_ahead(run: dg.DagsterRun) -> bool:
    """Whether this chain's reading goes on; runs that other tests broke off may have left theirs waiting."""
    readers = (thread for thread in threading.enumerate() if isinstance(thread, module._Reader))
    return any(reader._chain_key == run.run_id for reader in readers)


def test_what_is_read_ahead_is_not_read_again_but_for_who_comes_to_a_partner(synced: ChainHarness) -> None:
    """Beside the steps before it, from the chain's first second; what is staged is what `enrollments` would stage."""
    synced.advance(hours=24)
    run = dg.DagsterRun("daily_full", run_id="the first run", tags={AS_OF_TAG: synced.now.isoformat()})
    log = mock.Mock()
    context = SimpleNamespace(dagster_run=run, instance=synced.instance, log=SimpleNamespace(info=log))
    begins = mock.Mock(step_key="enrollments", event_type=dg.DagsterEventType.STEP_WORKER_STARTING)
    members_written = mock.Mock(step_key="memberships", event_type=dg.DagsterEventType.STEP_SUCCESS)
    with synced.warehouse.read() as connection:
        known = current_partner_users(connection)
    newcomer = min({row["id"] for row in synced.rows("lms_users") if row["is_active"]} - known)
    active = {row["id"] for row in synced.rows("partners") if row["is_active"]}
    groups = [row for row in synced.rows("lms_groups") if row["is_active"] and row["partner_id"] in active]
    resources = {"NorthpassResource": QuickNorthpass, "WarehouseResource": QuickWarehouse}
    synced.sandbox.reset_stats()
    with (
        synced.surroundings(),
        mock.patch.multiple(module, **resources),
        module.read_ahead(context, ["memberships", "enrollments"]) as notice,
    ):
        assert comes_about(lambda: transcripts_asked(synced) == known)
        synced.sandbox.mutate("add_member", group=groups[0]["id"], person=newcomer)
        synced.advance(minutes=5)
        with of_one_chain():
            assert synced.run(assets=("memberships",), tags={AS_OF_TAG: run.tags[AS_OF_TAG]}).success
        synced.advance(minutes=5)
        notice(members_written)
        assert comes_about(lambda: transcripts_asked(synced) == known | {newcomer}), "who comes meanwhile is read, too"
        assert comes_about(lambda: not reading_ahead(run)), "nobody can come after the last of these steps"
        notice(begins)
        ahead = staged(synced)
        with synced.warehouse.read() as connection:
            rows = connection.execute(select(transcript_staging.c.person_id, transcript_staging.c.payload)).all()
    of_unknown_courses = {row.person_id for row in rows if row.payload["rejected"]}
    assert of_unknown_courses
    synced.sandbox.mutate("add_course", name="Nintex Automation Cloud Basics", npcu=1)
    assert f"Transcripts read ahead: {len(ahead):,}" in log.call_args.args[0]
    person, _, partner = somebody(synced, ahead)
    group = next(row["id"] for row in groups if row["partner_id"] != partner["id"])
    synced.sandbox.mutate("add_member", group=group, person=person)
    synced.advance(minutes=5)
    synced.sandbox.reset_stats()
    with of_one_chain():
        chain = synced.run()
    assert chain.success, chain.errors
    asked = transcripts_asked(synced)
    assert newcomer in ahead
    assert asked & ahead == {person, *of_unknown_courses}, "there is a new course"
    assert "no_partner_is_withheld" not in chain.red
    assert chain.metadata["enrollments"]["everybody_was_read"]
    assert chain.metadata["enrollments"]["api_calls"] > len(asked)
    assert differences(synced) == []


@pytest.mark.parametrize("resumed_first", [True, False])
def test_listing_marks_do_not_move_back(synced: ChainHarness, resumed_first: bool) -> None:
    """Two runs of the timetable, of which the older one is worked off last."""
    older = synced.now
    synced.advance(hours=4)
    runs = [older, synced.now] if resumed_first else [synced.now, older]
    for as_of in runs:
        assert synced.run("enrollments_incremental", tags={AS_OF_TAG: as_of.isoformat()}).success
    mark = row_of(synced, "sync_state", name="changed_people_listed_until")["value"]
    assert datetime.fromisoformat(mark) == synced.now
    assert counted_as_of(synced) == synced.now
