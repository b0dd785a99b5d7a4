"""The push of one run: planned, sent in batches, read back, remembered. An account that fails is alone in it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.run_order import run_of
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.assets.tier_4_aggregation_and_push.push_planning import plan_of
from lms_assets.assets.upstream_checks import compare_clocks, recount_once, require_upstream_checks
from lms_assets.domain.counting.push import Answer, CallResult, PushPlan, judge_read_back, refused
from lms_assets.domain.counting.push_plan import (
    PushItem,
    in_batches,
    refuse_implausible_push,
    same_value,
    total_shown,
)
from lms_assets.domain.safety.withheld import named
from lms_assets.resources import ImpartnerResource, WarehouseResource
from lms_assets.run_tags import PUSH_PARTNER_TAG
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse.bookkeeping.failures import RecordFailure
from lms_assets.warehouse.bookkeeping.push_log import note_answers, note_sending
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.rule_change import remember_rules
from lms_assets.warehouse.state.baselines import remember_pushed_total
from lms_assets.warehouse.state.pushed_values import (
    remember_attempts,
    remember_confirmed,
    remember_refused,
)
from lms_assets.warehouse.upsert.upsert import SyncCounts

SHOWN = 100

AT_ONCE = 4
"""Calls under way: in the time of an answer from afar, 0.1 to 0.5 seconds, the CRM would have taken several more."""


@dataclass
class PushResult:
    """What became of a push: accounts sent, those that the CRM confirmed, and why others were not."""

    sent: int = 0
    confirmed: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)

    def add(self, result: CallResult) -> None:
        """Count one more call."""
        self.sent += len(result.batch) if result.arrived else 0
        self.confirmed |= set(result.confirmed)
        self.refused |= result.refused


def refuse_sudden_fall(step: Step, client: ImpartnerClient, plan: PushPlan) -> None:
    """At the very first push, compare with what the CRM shows: somebody else kept these counts until now.

    Raises:
        ImplausiblePush: Total NPCU would fall far below what the CRM shows, and nobody allowed it.
    """
    if not plan.first or not plan.items:
        return
    name = step.rules.crm_total_field
    shown = client.by_ids("Account", [item.impartner_id for item in plan.items], [name])
    refuse_implausible_push(
        sum(total_shown(record.get(name)) for record in shown.values()),
        sum(total_shown(item.fields.get(name)) for item in plan.items),
        step.overrides,
    )


def send(step: Step, client: ImpartnerClient, plan: PushPlan) -> PushResult:
    """Send all items, 50 a call, each in the log before it leaves; what was confirmed is written down call by call.

    So a crash cannot lose what was sent, and repeats little. The first call goes alone: what ends the push, a key that
    is refused, is met once. Later several are under way; whatever ends the push, they are waited for and noted.

    Raises:
        VendorError: one that every further call would meet, too. What was confirmed by its call counts as unknown.
    """
    pushed, done = PushResult(), 0
    under_way: set[Future[CallResult]] = set()

    def take_one() -> int:
        finished = next(as_completed(under_way))
        under_way.remove(finished)
        result = finished.result()
        pushed.add(result)
        step.progress("partners", done + len(result.batch), len(plan.items))
        return len(result.batch)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for batch in in_batches(plan.items):
            step.require_live_run()
            under_way.add(pool.submit(_send_batch, step, client, plan, batch))
            if not done or len(under_way) == AT_ONCE:
                done += take_one()
        while under_way:
            done += take_one()
    step.progress("partners", done, len(plan.items), last=True)
    return pushed


def _send_batch(step: Step, client: ImpartnerClient, plan: PushPlan, batch: Sequence[PushItem]) -> CallResult:
    """One call, with its lines in the log before and after it."""
    sending_id, now = uuid4().hex, step.clock()
    before = partial(_note_before, plan=plan, batch=batch, sending_id=sending_id, run_id=step.run_id, now=now)
    step.warehouse.in_transaction(before)
    result, error = _call(client, batch)
    ends = error is not None and error.stops_everything
    after = partial(_note_after, result=result, sending_id=sending_id, remember=not ends, now=step.clock())
    step.warehouse.in_transaction(after)
    if error is not None and ends:
        raise error
    return result


def _note_before(
    connection: Connection, *, plan: PushPlan, batch: Sequence[PushItem], sending_id: str, run_id: str, now: datetime
) -> None:
    remember_attempts(connection, [item.impartner_id for item in batch], now=now)
    sendings = [each for item in batch for each in plan.sendings(item)]
    note_sending(connection, sendings, sending_id=sending_id, run_id=run_id, now=now)


def _call(client: ImpartnerClient, batch: Sequence[PushItem]) -> tuple[CallResult, VendorError | None]:
    """One call and the reading back of what it changed; an answer for each account, whatever error it ended with."""
    answers: dict[int, Answer] = {}
    read: Mapping[int, Mapping[str, Any]] = {}
    arrived = False
    try:
        results = client.patch_accounts([{"Id": item.impartner_id, **item.fields} for item in batch], same=same_value)
        arrived = True
        answers = {each.impartner_id: refused(each.error, each.code) for each in results if not each.ok}
        accepted = {item.impartner_id: item.fields for item in batch if item.impartner_id not in answers}
        read = _read_back(client, accepted)
        answers |= judge_read_back(accepted, read)
    except VendorError as error:
        unknown = {item.impartner_id: refused(str(error), error.code) for item in batch}
        return CallResult(batch, unknown | answers, read, arrived), error
    return CallResult(batch, answers, read, arrived), None


def _read_back(client: ImpartnerClient, accepted: Mapping[int, Mapping[str, Any]]) -> Mapping[int, Mapping[str, Any]]:
    """What the CRM shows of the accounts that accepted the change."""
    names = sorted({name for fields in accepted.values() for name in fields})
    return client.by_ids("Account", sorted(accepted), names) if accepted else {}


def _note_after(connection: Connection, *, result: CallResult, sending_id: str, remember: bool, now: datetime) -> None:
    """Confirmed values, refusals and the log's answers, as of after the reading back."""
    if remember:
        remember_confirmed(connection, result.confirmed, now=now)
        remember_refused(connection, result.refused, now=now)
    note_answers(connection, sending_id, result.answers, result.read, now=now)


def close(step: Step, plan: PushPlan, pushed: PushResult, only: int | None) -> None:
    """Close the sync. A push of one partner says nothing about the others, nor about when all were last sent."""
    if only is None:
        step.on_commit(lambda connection: remember_pushed_total(connection, now=step.now))
        step.on_commit(lambda connection: remember_rules(connection, "pushed", step.rules, now=step.now))
    counts = SyncCounts(updated=len(pushed.confirmed), unchanged=plan.partners - len(plan.items))
    details = {
        "dry_run": False,
        "differing": len(plan.items),
        "failed": len(pushed.refused),
        "as_of": step.chain_started_at.isoformat(),
    }
    step.write(
        lambda _: counts,
        failures=[RecordFailure("partner", str(each), reason) for each, reason in sorted(pushed.refused.items())],
        complete=only is None,
        right={str(each) for each in pushed.confirmed},
        details=details if only is None else {**details, "only": only},
    )


def figures(plan: PushPlan, pushed: PushResult) -> dict[str, Any]:
    """What became of the differences, and which partners were not sent."""
    return {
        "sent": pushed.sent,
        "confirmed": len(pushed.confirmed),
        "failed": len(pushed.refused),
        "partners_without_crm_id": len(plan.facts.without_crm_id),
        "partners_withheld": len(plan.facts.withheld),
        "partners_withheld_sample": named(plan.facts.withheld)[:SHOWN],
        "differences": as_table(plan),
    }


def as_table(plan: PushPlan) -> dg.TableMetadataValue:
    """The first differences, for people who look at the asset."""
    records = [
        dg.TableRecord(
            {
                "account": item.impartner_id,
                "field": name,
                "confirmed": "never" if old is None else str(old),
                "crm_shows": str(plan.shown.get(item.impartner_id, {}).get(name, "")),
                "now": str(new),
            }
        )
        for item in plan.items
        for name, (old, new) in item.changes.items()
    ]
    columns = [dg.TableColumn("account", "int"), *map(dg.TableColumn, ("field", "confirmed", "crm_shows", "now"))]
    return dg.MetadataValue.table(records[:SHOWN], schema=dg.TableSchema(columns))


@asset_of("pushed_partner_cert_counts")
def pushed_partner_cert_counts(
    context: dg.AssetExecutionContext, impartner: ImpartnerResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Send the CRM what differs from what it last confirmed, read it back, and remember what it refused."""
    with sync_step(context, warehouse, "pushed_partner_cert_counts") as step:
        settings = impartner.settings()
        only = _one_partner(context)
        recount_once(step)
        plan = plan_of(step.warehouse, step.rules, portal_url=settings.portal_url, only=only)
        differing = len(plan.items)
        if settings.push_dry_run:
            step.write(lambda _: SyncCounts(), details={"dry_run": True, "differing": differing})
            return step.result(plan.partners, dry_run=True, differing=differing, differences=as_table(plan))
        require_upstream_checks(step)
        compare_clocks(step, impartner)
        with impartner.client() as client:
            refuse_sudden_fall(step, client, plan)
            step.note_uses()
            pushed = send(step, client, plan)
            step.used(client.http)
        close(step, plan, pushed, only)
        return step.result(plan.partners, dry_run=False, differing=differing, **figures(plan, pushed))


def _one_partner(context: dg.AssetExecutionContext) -> int | None:
    """The partner that somebody wants sent again; None: all that differ."""
    text = run_of(context).tags.get(PUSH_PARTNER_TAG)
    return int(text) if text else None
