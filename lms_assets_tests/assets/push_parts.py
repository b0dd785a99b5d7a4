"""A CRM and a run in which a push can be tried, without HTTP and without Dagster. No assertions about it here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from lms_assets.assets.sync_run import Step
from lms_assets.assets.tier_4_aggregation_and_push.push import PushResult, refuse_sudden_fall, send
from lms_assets.assets.tier_4_aggregation_and_push.push_planning import plan_of
from lms_assets.domain.counting.push import PushPlan
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.overrides import Overrides
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.impartner.writes import PatchResult
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse.engine import Warehouse


@dataclass
class Crm:
    """Accounts as the CRM holds them; `refusing` says why it refuses one, `deaf` accepts and changes nothing."""

    accounts: dict[int, dict[str, Any]] = field(default_factory=dict)
    refusing: dict[int, str | None] = field(default_factory=dict)
    codes: dict[int, str] = field(default_factory=dict)
    deaf: set[int] = field(default_factory=set)
    down: VendorError | None = None
    blind: VendorError | None = None
    calls: list[list[int]] = field(default_factory=list)
    asked: list[list[int]] = field(default_factory=list)

    def patch_accounts(self, rows: Sequence[Mapping[str, Any]], *, same: Any) -> list[PatchResult]:
        assert same(3, "3.0")
        self.calls.append([row["Id"] for row in rows])
        if self.down is not None:
            raise self.down
        results = []
        for row in rows:
            number = row["Id"]
            if number in self.refusing:
                results.append(PatchResult(number, False, self.refusing[number], self.codes.get(number)))
                continue
            if number not in self.deaf:
                values = {name: value for name, value in row.items() if name != "Id"}
                self.accounts.setdefault(number, {}).update(values)
            results.append(PatchResult(number, True))
        return results

    def by_ids(self, object_name: str, ids: Iterable[int], fields: Sequence[str]) -> dict[int, dict[str, Any]]:
        assert object_name == "Account"
        wanted = list(ids)
        self.asked.append(wanted)
        if self.blind is not None:
            raise self.blind
        found = {number: self.accounts[number] for number in wanted if number in self.accounts}
        return {number: {name: account.get(name) for name in fields} for number, account in found.items()}


@dataclass
class Run:
    """What a push needs of the step that it is in."""

    warehouse: Warehouse
    now: datetime
    overrides: Overrides = field(default_factory=Overrides)
    rules: Rules = field(default_factory=Rules)
    told: list[tuple[int, int | None, bool]] = field(default_factory=list)
    over_after: int = 10**6
    run_id: str = "a run"

    def clock(self) -> datetime:
        return self.now

    def require_live_run(self) -> None:
        if self.over_after == 0:
            raise RuntimeError("the run is over")
        self.over_after -= 1

    def progress(self, noun: str, done: int, total: int | None = None, *, last: bool = False) -> None:
        assert noun == "partners"
        self.told.append((done, total, last))


@dataclass
class Made:
    """A push as the asset makes it: its plan, and what became of it."""

    plan: PushPlan
    pushed: PushResult


def make_push(
    run: Run, crm: Crm, *, portal_url: str | None = None, only: int | None = None, compare: bool = True
) -> Made:
    """One push; without `compare` what the CRM shows before the first one is not looked at."""
    step, client = cast(Step, run), cast(ImpartnerClient, crm)
    plan = plan_of(run.warehouse, run.rules, portal_url=portal_url, only=only)
    if compare:
        refuse_sudden_fall(step, client, plan)
    return Made(plan, send(step, client, plan))
