"""What must hold after whatever happened: nothing wrongly taken away, and no count shown that cannot be right."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lms_assets.domain.rules import Rules
from lms_assets.warehouse.reading.withheld import withheld_partners
from lms_assets.warehouse.results.counts import CATEGORY_COLUMNS, last_counted
from lms_assets.warehouse.results.ledger import ledger_counts, read_ledger
from lms_assets_tests.faults.bounds import Moment, bounds, never_taken_back, outside
from lms_assets_tests.harness.agreement import differences, links_taken_over
from lms_assets_tests.harness.chain import ChainHarness
from lms_assets_tests.oracle import kept

# What these hide, nothing in the answers shows: after them the state may be older than the source, though never poorer.
SILENT = frozenset(
    {"cut_short", "page_drift_removed", "page_drift_added", "duplicate_page", "not_found", "empty_is_404",
     "empty_is_list", "clock_skew", "null_field", "missing_field", "wrong_type", "ignored_filter"}
)  # fmt: skip
# These give a record's field a value that it never had.
UNTRUE = frozenset({"null_field", "missing_field", "wrong_type"})
# Checks by whose being red a run says that its state is not whole.
SPEAKING = (
    "_listing_was_complete", "memberships_are_current", "transcripts_were_all_read", "push_is_confirmed",
    "no_partner_is_withheld", "_all_readable",
)  # fmt: skip
# Column of `partners` to the count's name in the sandbox's accounts.
SHOWN = {
    "cert_count_nintex_ce": "nintex_ce_certifications",
    "cert_count_nintex_k2": "nintex_k2_certifications",
    "cert_count_nintex_salesforce": "nintex_for_salesforce_certifications",
    "cert_count_go_to_market": "nintex_gtm_certifications",
    "total_npcu": "total_npcu",
}

SUMMED = ("total_npcu", *CATEGORY_COLUMNS.values())


@dataclass(frozen=True)
class Ending:
    """How a run ended (`went through`, `partial`, `failed`, `killed`, `refused`); `red`: its checks, or its text."""

    word: str
    red: Collection[str] | str = ()

    @property
    def through(self) -> bool:
        """Whether its steps were all done."""
        return self.word in ("went through", "partial")

    @property
    def speaks(self) -> bool:
        """Whether it said itself that its state is not whole."""
        said = self.red if isinstance(self.red, str) else " ".join(self.red)
        return any(name in said for name in SPEAKING)


class Judge:
    """Remembers, run after run, what may have been read since everything was last right."""

    def __init__(self, harness: ChainHarness) -> None:
        self._harness = harness
        self._moments: list[Moment] = []
        self._transcripts: list[Mapping[str, Any]] = []
        self._untrue = False
        self.all_right = False
        """Whether the last run left everything as the oracle says."""
        self._as_of: datetime | None = None
        self._before: dict[str, set[Any]] = {}
        self._shown: dict[int, dict[str, Any]] = {}
        self._sums: dict[datetime, dict[int, tuple[int, ...]]] = {}

    def correct_and_compare(self) -> list[str]:
        """After an undisturbed chain: everything that is not as the oracle says now."""
        found = differences(self._harness, at=self._counted())
        found += self._older() + self._ledger()
        self._start_again()
        return found

    def look(self) -> None:
        """Right before a run, after all changes."""
        self._before = _there(self._harness)
        self._shown = self._in_crm()

    def found(self, job: str, ending: Ending) -> list[str]:
        """Everything that is wrong after a run."""
        hit = {rule["kind"] for rule in self._harness.sandbox.faults.listing() if rule["hits"]}
        self._untrue = self._untrue or bool(hit & UNTRUE)
        state = self._harness.sandbox.vendor_state.state()
        self._moments.append(Moment(state, links_taken_over(self._harness)))
        whole = ending.through and not ending.speaks and not hit & SILENT
        if whole and job == "enrollments_incremental":
            self._transcripts = never_taken_back(self._transcripts, state)
        else:
            self._transcripts.append(state)
        self.all_right = False
        wrong = self._lost() + self._older() + self._wrongly_shown() + self._ledger()
        if whole and job == "daily_full":
            wrong += differences(self._harness, at=self._counted())
            self._start_again()
        return wrong

    def _start_again(self) -> None:
        state = self._harness.sandbox.vendor_state.state()
        self._moments, self._transcripts = [Moment(state, links_taken_over(self._harness))], [state]
        self._untrue = False
        self.all_right = True

    def _lost(self) -> list[str]:
        right = kept(self._harness.sandbox.vendor_state.state(), links_taken_over(self._harness))
        should = {
            "partners": right.partners,
            "contacts": right.contacts,
            "users": right.users,
            "groups": right.groups,
            "memberships": right.memberships,
        }
        after = _there(self._harness)
        lost = {name: (self._before[name] & ids) - after[name] for name, ids in should.items()}
        return [f"{name} wrongly taken away: {sorted(ids)[:5]}" for name, ids in lost.items() if ids]

    def _older(self) -> list[str]:
        counted, before = self._counted(), self._as_of
        self._as_of = counted
        if before is not None and (counted is None or counted < before):
            return [f"counted as of {counted}, after it was counted as of {before}"]
        return []

    def _ledger(self) -> list[str]:
        """Past countings of which the ledger does not give the counts that they stored."""
        stored = {row["id"]: tuple(row[name] for name in SUMMED) for row in self._harness.rows("partners")}
        with self._harness.warehouse.read() as connection:
            counted, ledger = last_counted(connection), read_ledger(connection)
            if counted is None or ledger is None:
                return []
            if ledger.written_at == counted.counted_at:
                self._sums[counted.as_of] = stored
            elif ledger.as_of == counted.as_of:
                self._sums.pop(counted.as_of, None)  # judged again for the same instant, and not added up yet
            sums = {at: ledger_counts(connection, stored, Rules().gtm_category, at=at) for at in self._sums}
        wrong = []
        for at, found in sums.items():
            ours = {
                key: (each.total_npcu, *(each.by_category.get(name, 0) for name in CATEGORY_COLUMNS))
                for key, each in found.items()
            }
            nothing = (0,) * len(SUMMED)
            then = self._sums[at]
            wrong += [f"ledger of partner {key} at {at}" for key in ours if ours[key] != then.get(key, nothing)]
        return wrong

    def _wrongly_shown(self) -> list[str]:
        """Counts that the run changed in the CRM: those stored, of no partner withheld, and such as can be right."""
        shown = self._in_crm()
        changed = [number for number, counts in shown.items() if counts != self._shown.get(number, counts)]
        if not changed:
            return []
        with self._harness.warehouse.read() as connection:
            withheld = withheld_partners(connection, Rules())
        at = self._counted()
        if at is None:
            return ["counts were pushed that nobody counted"]
        stored = {row["impartner_id"]: row for row in self._harness.rows("partners")}
        right = {} if self._untrue else bounds(self._moments, self._transcripts, at)
        found = []
        for number in changed:
            row, counts = stored.get(number), shown[number]
            if row is None:
                found.append(f"account {number} got counts and is no partner")
                continue
            if row["id"] in withheld:
                found.append(f"account {number} got counts though it is withheld: {withheld[row['id']]}")
            if any(counts[name] != row[name] for name in SHOWN):
                found.append(f"account {number} shows {counts}, not what was counted last")
            found += [f"account {number}: {each}" for each in outside(counts, right.get(number, {}))]
        return found

    def _in_crm(self) -> dict[int, dict[str, Any]]:
        accounts = self._harness.sandbox.vendor_state.state()["accounts"]
        return {each["id"]: {column: each[name] for column, name in SHOWN.items()} for each in accounts}

    def _counted(self) -> datetime | None:
        with self._harness.warehouse.read() as connection:
            counted = last_counted(connection)
        return counted.as_of if counted else None


def _there(harness: ChainHarness) -> dict[str, set[Any]]:
    rows = harness.rows
    return {
        "partners": {row["impartner_id"] for row in rows("partners") if row["is_active"]},
        "contacts": {row["impartner_id"] for row in rows("contacts") if row["is_active"]},
        "users": {row["id"] for row in rows("lms_users") if row["is_active"]},
        "groups": {row["id"] for row in rows("lms_groups") if row["is_active"]},
        "memberships": {(row["group_id"], row["user_id"]) for row in rows("lms_group_members")},
    }
