"""Every kind of fault against everything that it can hit: what becomes of the data. Says, judges nothing.

A cell is one asset's sync over a vendor state that has changed since the last chain, with one fault on the calls it
makes: on the first such call (`once`), or on all of them (`always`). Beside it stands the same sync undisturbed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Select, select

from lms_assets.sandbox.faults.kinds import KINDS
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets.warehouse.schema.tables import metadata, sync_failures, sync_logs
from lms_assets_tests.harness.chain import DIARIES, SMALL, STAMPS, ChainHarness, ChainResult
from lms_assets_tests.harness.checkpoints import Saved, after_first_chain
from lms_assets_tests.harness.limits import QUICK

Exposure = Literal["once", "always"]
Outcome = Literal["same", "old", "kept", "late", "untouched"]
"""same: as without the fault. old: nothing written, a clear error. kept: what could be read is written, nothing taken
away, and a check or a failure says so. late: nothing shows what is missing, and a later sync asks for it again.
untouched: the asset makes no call that the fault can hit.
"""


@dataclass(frozen=True)
class Target:
    """A sync that can be hit: by which job, which asset of it, and the calls that count as its own."""

    name: str
    job: str
    asset: str
    calls: str
    stage: Literal["start", "counted"] = "start"
    side_by_side: bool = False
    """Its calls go out several at once, so that which is the first differs from run to run."""


TARGETS = (
    Target("courses", "daily_full", "courses", "GET /courses"),
    Target("course_npcu", "daily_full", "course_npcu", "GET /properties/courses"),
    Target("partners", "daily_full", "partners", "GET /Account"),
    Target("contacts", "daily_full", "contacts", "GET /User"),
    Target("users", "daily_full", "users", "GET /people"),
    Target("groups", "daily_full", "groups", "GET /groups"),
    Target("memberships", "daily_full", "memberships", "GET /groups/*/memberships", side_by_side=True),
    Target("enrollments", "daily_full", "enrollments", "GET /transcripts/*", side_by_side=True),
    Target("enrollments, incremental", "enrollments_incremental", "enrollments", "northpass GET /*"),
    Target("crm_deactivations", "enrollments_incremental", "crm_deactivations", "impartner GET /*"),
    Target("push", "daily_full", "pushed_partner_cert_counts", "impartner *", "counted"),
    Target("leads, full", "leads_full", "leads", "GET /Lead"),
    Target("leads, incremental", "leads_incremental", "leads", "impartner GET /Lead*"),
)

# Options that make a fault do its worst within a test's time; what is not here takes the kind's defaults.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "slow": {"seconds": 1.5},
    "big_record": {"bytes": 5_000_000},
    "clock_skew": {"seconds": -7200},
}
LATE = frozenset(
    {
        ("cut_short", "leads, incremental"),
        ("cut_short", "enrollments, incremental"),
        ("not_found", "enrollments, incremental"),
        ("ignored_filter", "enrollments, incremental"),
    }
)
"""What a list of changes hides, nothing shows: Sunday's full sync of leads and the nightly chain bring it. After a 404
for the people who changed, which may be an empty list, or with the filter ignored, the next run asks from there again.
"""
NOT_HIT = "–"
"""What the table shows where a fault hits no call."""
LEFT_OUT = frozenset({"mutate"})
ALWAYS_IS_NO_FAULT = frozenset({"slow"})
"""Always late by more than the client waits is the same as not reachable, which other kinds show."""


def kinds() -> tuple[str, ...]:
    """Every kind of fault, in the catalogue's order."""
    return tuple(kind for kind in KINDS if kind not in LEFT_OUT)


def change_vendor_state(harness: ChainHarness) -> None:
    """What happened since the last chain: something new, changed and gone for every asset."""
    sandbox, vendor_state = harness.sandbox, harness.sandbox.vendor_state
    members = {
        group: [each for each in people if each in vendor_state.people]
        for group, people in vendor_state.memberships.items()
    }
    groups = sorted(
        (g for g in vendor_state.intended_links if len(members.get(g, ())) >= 3), key=lambda g: len(members[g])
    )
    people = members[groups[0]]
    sandbox.mutate("remove_member", group=groups[0], person=people[0])
    sandbox.mutate("disable_person", person=people[1])
    sandbox.mutate("delete_person", person=members[groups[1]][0])
    sandbox.mutate("add_member", group=groups[0], person=str(sandbox.mutate("add_person", email="late@example.com")))
    active = [row for row in harness.rows("contacts") if row["is_active"]]
    sandbox.mutate("delete_contact", contact=active[0]["impartner_id"])
    sandbox.mutate("set_contact", contact=active[1]["impartner_id"], fields={"contact_status": "Inactive"})
    poor = [row["impartner_id"] for row in harness.rows("partners") if row["is_active"] and not row["total_npcu"]]
    sandbox.mutate("delete_account", account=poor[0])
    sandbox.mutate("set_account", account=poor[1], fields={"partner_tier": "Pending"})
    sandbox.mutate("add_account", name="Quiet Meadow Systems")
    sandbox.mutate("delete_group", group=next(g for g in vendor_state.groups if not members.get(g)))
    stored = [row for row in harness.rows("lms_enrollments") if row["user_id"] in vendor_state.people]
    sandbox.mutate("remove_transcript", transcript=stored[0]["id"])
    sandbox.mutate("touch_person", person=stored[0]["user_id"])
    certification = next(row["id"] for row in harness.rows("lms_courses") if row["is_certification"])
    sandbox.mutate("complete_course", person=people[2], course=certification)
    sandbox.mutate("set_course", course=next(iter(vendor_state.courses)), fields={"name": "A better name"})
    sandbox.mutate("set_npcu", course=next(iter(vendor_state.courses)), npcu=1)
    leads = harness.rows("leads")
    sandbox.mutate("delete_lead", lead=leads[0]["impartner_id"])
    sandbox.mutate("convert_lead", lead=leads[1]["impartner_id"])
    sandbox.mutate("add_lead", email="interested@example.com", account=poor[2])
    harness.advance(minutes=20)


class Matrix:
    """One sandbox, one warehouse, put back to its start before every cell."""

    def __init__(self, harness: ChainHarness, stages: Mapping[str, Saved]) -> None:
        self.harness = harness
        self._stages = stages

    @cache  # noqa: B019  as many as there are targets, for the life of the matrix
    def undisturbed(self, target: Target) -> State:
        """Where the sync ends without a fault."""
        self._reset(target)
        result = self._run(target)
        assert result.success, (target.name, result.errors)
        return State.of(self.harness)

    @cache  # noqa: B019  two stages
    def _before(self, stage: Literal["start", "counted"]) -> State:
        self._stages[stage].restore(self.harness)
        return State.of(self.harness)

    def cell(self, kind: str, target: Target, exposure: Exposure) -> tuple[Outcome, str]:
        """The outcome, and what went wrong in words ("" when nothing did).

        Raises:
            AssertionError: something was taken away that the undisturbed sync leaves, or nobody was told.
        """
        right, where = self.undisturbed(target), f"{kind} {exposure} on {target.name}"
        before = self._before(target.stage)
        self._reset(target)
        once = exposure == "once"
        limit = {"first": 1} if once else {}
        calls = self._one_of(target) if once else target.calls
        number = self.harness.sandbox.faults.add(kind, calls, **limit, options=dict(OPTIONS.get(kind, {})))
        result = self._run(target)
        hits = next(each["hits"] for each in self.harness.sandbox.faults.listing() if each["number"] == number)
        after = State.of(self.harness)
        if not hits:
            return "untouched", ""
        wrong = before.lost_in(after) - before.lost_in(right)
        assert not wrong, f"{where}: wrongly taken away: {sorted(wrong)[:5]}"
        if (kind, target.name) in LATE and after.data != right.data and result.success:
            return "late", ""
        return _outcome(where, before, right, after, result)

    def _one_of(self, target: Target) -> str:
        """The calls of which one is hit: always the same one."""
        if not target.side_by_side:
            return target.calls
        # Late in the list, when answers have proved that the key is good.
        vendor_state = self.harness.sandbox.vendor_state
        if target.asset == "memberships":
            linked = {row["id"] for row in self.harness.rows("lms_groups") if row["partner_id"] and row["is_active"]}
            shared = max(each for each in linked if len(vendor_state.memberships.get(each, ())) > 1)
            return f"GET /groups/{shared}/memberships"
        stored = {row["user_id"] for row in self.harness.rows("lms_enrollments")} & set(vendor_state.people)
        return f"GET /transcripts/{max(each for each in stored if not vendor_state.people[each].disabled)}"

    def _reset(self, target: Target) -> None:
        self.harness.sandbox.faults.reset()
        self._stages[target.stage].restore(self.harness)

    def _run(self, target: Target) -> ChainResult:
        return self.harness.run(target.job, assets=(target.asset,), alone=True)


@dataclass(frozen=True)
class State:
    """What the tables hold, and which rows people would miss; `told` are the open failures and the syncs' verdicts."""

    tables: Mapping[str, Any]
    there: frozenset[tuple[str, Any]]
    told: Mapping[str, Any]
    crm: Mapping[int, Any]

    @classmethod
    def of(cls, harness: ChainHarness) -> State:
        """As it is now."""
        with harness.warehouse.read() as connection:
            tables = {name: connection.execute(query).all() for name, query in _queries().items()}
            failures = connection.execute(_OPEN_FAILURES).all()
            last = connection.execute(_LAST_SYNC).first()
        there: set[tuple[str, Any]] = set()
        for table in ("partners", "contacts", "lms_users", "lms_groups"):
            there |= {(table, row.id) for row in tables[table] if row.is_active}
        there |= {("lms_group_members", (row.group_id, row.user_id)) for row in tables["lms_group_members"]}
        there |= {("lms_enrollments", row.id) for row in tables["lms_enrollments"]}
        there |= {("leads", row.impartner_id) for row in tables["leads"]}
        verdict = (last.status, bool((last.details or {}).get("listing_complete", True))) if last else None
        crm = {number: account.total_npcu for number, account in harness.sandbox.vendor_state.accounts.items()}
        return cls(tables, frozenset(there), {"failures": len(failures), "last": verdict}, crm)

    def lost_in(self, later: State) -> set[tuple[str, Any]]:
        """What is there now and not there any more then."""
        return set(self.there - later.there)

    @property
    def data(self) -> tuple[Any, Any]:
        """All that counts."""
        return self.tables, self.crm


# What a vendor says of its own records, and nobody counts by.
OF_NO_CONSEQUENCE = frozenset(
    {"updated_at_lms", "crm_last_modified", "lead_updated_at", "lead_created_at", "description", "property_data"}
)


# What was sent and when is the push's own memory; what the CRM holds is compared instead.
NOT_COMPARED = DIARIES | {"pushed_partner_counts", "transcript_staging"}
_OPEN_FAILURES = select(sync_failures.c.id).where(sync_failures.c.resolved_at.is_(None))
_LAST_SYNC = select(sync_logs.c.status, sync_logs.c.details).order_by(sync_logs.c.id.desc()).limit(1)


@cache
def _queries() -> dict[str, Select[Any]]:
    """For each table its rows by primary key, without stamps and what is of no consequence."""
    left_out = STAMPS | OF_NO_CONSEQUENCE
    return {
        name: select(*(column for column in table.c if column.name not in left_out)).order_by(*table.primary_key)
        for name, table in metadata.tables.items()
        if name not in NOT_COMPARED
    }


def _outcome(where: str, before: State, right: State, after: State, result: ChainResult) -> tuple[Outcome, str]:
    failed = bool(result.failed) or any(each.get("kept_last_good_rows") for each in result.metadata.values())
    said = "; ".join(result.errors.values()) or "; ".join(
        str(each["reason"]) for each in result.metadata.values() if each.get("kept_last_good_rows")
    )
    if after.data == right.data and not failed:
        return "same", ""
    if failed:
        assert said, f"{where}: it failed without a result"
        assert after.tables == before.tables, f"{where}: failed, and wrote {_differing(before, after)}"
        return "old", said
    told = after.told["failures"] > right.told["failures"] or after.told["last"] != ("completed", True)
    assert told, f"{where}: the end state differs from the right one, and nobody was told: {_differing(right, after)}"
    return "kept", str(after.told)


def _differing(one: State, other: State) -> list[str]:
    return [name for name in one.tables if one.tables[name] != other.tables[name]] + (
        ["crm"] if one.crm != other.crm else []
    )


@contextmanager
def matrix(folder: Path) -> Iterator[Matrix]:
    """A vendor state, a chain that ran over it, what happened since, and the two stages from which cells start."""
    with running_sandbox(SMALL) as sandbox:
        harness = ChainHarness(folder, sandbox)
        after_first_chain().restore(harness)
        result = harness.run("leads_full")
        assert result.success, result.errors
        harness.advance(hours=4)
        change_vendor_state(harness)
        start = Saved.of(harness)
        upstream = ("courses", "course_npcu", "partners", "contacts", "users", "groups", "memberships", "enrollments")
        result = harness.run(assets=(*upstream, "partner_certifications", "partner_cert_counts"))
        assert result.success, result.errors
        counted = Saved.of(harness)
        harness.limits = QUICK
        yield Matrix(harness, {"start": start, "counted": counted})
        harness.close()


def marks(found: Mapping[Exposure, Outcome]) -> str:
    """A cell of the table: once, then always; one word when both came to the same."""
    shown = [each for each in found.values() if each != "untouched"]
    if not shown:
        return NOT_HIT
    return shown[0] if len(set(shown)) == 1 else " / ".join(shown)


def exposures(kind: str) -> tuple[Exposure, ...]:
    """How a kind is tried."""
    return ("once",) if kind in ALWAYS_IS_NO_FAULT else ("once", "always")


def sandbox_of(made: Matrix) -> SandboxHandle:
    """Its sandbox."""
    return made.harness.sandbox
