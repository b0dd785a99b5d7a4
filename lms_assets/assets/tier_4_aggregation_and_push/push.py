"""The push of one run: what differs, sent in batches, read back, remembered. An account that fails is alone in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.clocks import compare_clocks
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.assets.upstream_checks import require_upstream_checks
from lms_assets.domain.counting.push_plan import (
    PushItem,
    compare_read_back,
    desired_fields,
    in_batches,
    plan_push,
    refuse_implausible_push,
    same_value,
    total_shown,
)
from lms_assets.domain.linking.group_links import GroupLink, naming_groups
from lms_assets.domain.records.groups import LmsGroup
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.withheld import WithheldReason, named
from lms_assets.resources import Connections
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse import reading
from lms_assets.warehouse.bookkeeping.failures import RecordFailure
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.reading.foundation import stored_partner_counts
from lms_assets.warehouse.state.baselines import remember_pushed_total
from lms_assets.warehouse.state.pushed_values import (
    Pushed,
    push_memory,
    remember_attempts,
    remember_confirmed,
    remember_refused,
)
from lms_assets.warehouse.upsert.upsert import SyncCounts

SHOWN = 100


@dataclass(frozen=True)
class Planned:
    """What a push would send: `partners` are looked at, `without_crm_id` cannot be told of.

    `withheld`: row ids of partners whose counts must not leave, and why.
    `first`: the CRM has confirmed nothing yet.
    """

    items: tuple[PushItem, ...]
    partners: int
    without_crm_id: int
    withheld: Mapping[int, tuple[WithheldReason, ...]] = field(default_factory=dict)
    first: bool = False


def plan_of(warehouse: Warehouse, rules: Rules, *, portal_url: str | None) -> Planned:
    """What differs from what the CRM last confirmed, for every active partner that the CRM knows. Reads only."""
    with warehouse.read() as connection:
        counts = stored_partner_counts(connection)
        partners = [row for row in reading.stored_partners(connection) if row.is_active]
        groups = reading.groups(connection, active_only=True)
        withheld = reading.withheld_partners(connection, rules)
        memory = push_memory(connection)
    named = naming_groups(
        [GroupLink(each.id, each.partner_id, each.link_method or "none") for each in groups],  # type: ignore[arg-type]
        [LmsGroup(each.id, each.name, None, each.user_count) for each in groups],
    )
    desired = {}
    for partner in partners:
        if partner.impartner_id is None or partner.id in withheld:
            continue
        group = named.get(partner.id)
        desired[partner.impartner_id] = desired_fields(
            counts[partner.id],
            partner_id=partner.id,
            group_name=group.name if group else None,
            rules=rules,
            portal_url=portal_url,
        )
    trusted = {impartner_id: _trusted(pushed) for impartner_id, pushed in memory.items()}
    without = sum(partner.impartner_id is None for partner in partners)
    first = not any(each.fields for each in memory.values())
    return Planned(plan_push(desired, trusted), len(desired), without, withheld, first)


class Push:
    """Plans at once and sends later. Figures are there once `send` is done."""

    def __init__(self, step: Step, *, portal_url: str | None) -> None:
        self._step = step
        self.planned = plan_of(step.warehouse, step.rules, portal_url=portal_url)
        self.sent = 0
        self.confirmed: set[int] = set()
        self.failures: list[RecordFailure] = []

    def refuse_sudden_fall(self, client: ImpartnerClient, items: Sequence[PushItem]) -> None:
        """At the very first push, compare with what the CRM shows: somebody else kept these counts until now.

        Raises:
            ImplausiblePush: NPCU in all would fall far below what the CRM shows, and nobody allowed it.
        """
        if not self.planned.first or not items:
            return
        field = self._step.rules.crm_total_field
        shown = client.by_ids("Account", [item.impartner_id for item in items], [field])
        refuse_implausible_push(
            sum(total_shown(record.get(field)) for record in shown.values()),
            sum(total_shown(item.fields.get(field)) for item in items),
            self._step.overrides,
        )

    def send(self, client: ImpartnerClient, items: Sequence[PushItem]) -> None:
        """Send all items, 50 a call; what was confirmed is remembered batch by batch, so a crash repeats little."""
        done = 0
        for batch in in_batches(items):
            self._step.require_live_run()
            self._send_batch(client, batch)
            done += len(batch)
            self._step.progress("partners", done, len(items))
        self._step.progress("partners", done, len(items), last=True)

    def _send_batch(self, client: ImpartnerClient, batch: Sequence[PushItem]) -> None:
        warehouse, now = self._step.warehouse, self._step.clock()
        ids = [item.impartner_id for item in batch]
        warehouse.in_transaction(lambda connection: remember_attempts(connection, ids, now=now))
        refused: dict[int, str] = {}
        try:
            rows = [{"Id": item.impartner_id, **item.fields} for item in batch]
            results = client.patch_accounts(rows, same=same_value)
            refused = {each.impartner_id: each.error or "refused" for each in results if not each.ok}
            self.sent += len(batch)
            accepted = {item.impartner_id: item.fields for item in batch if item.impartner_id not in refused}
            refused |= self._read_back(client, accepted)
        except VendorError as error:
            if error.stops_everything:
                raise
            refused |= {impartner_id: str(error) for impartner_id in ids if impartner_id not in refused}
        confirmed = {item.impartner_id: item.fields for item in batch if item.impartner_id not in refused}
        self._remember(confirmed, refused, now)

    def _read_back(self, client: ImpartnerClient, accepted: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
        """Accounts that accepted the change and do not show it."""
        if not accepted:
            return {}
        names = sorted({name for fields in accepted.values() for name in fields})
        read = client.by_ids("Account", sorted(accepted), names)
        mismatches = compare_read_back(accepted, read)
        return {each.impartner_id: f"{each.field} was accepted and reads back differently" for each in mismatches}

    def _remember(self, confirmed: Mapping[int, Mapping[str, Any]], refused: Mapping[int, str], now: datetime) -> None:
        def work(connection: Connection) -> None:
            remember_confirmed(connection, confirmed, now=now)
            remember_refused(connection, refused, now=now)

        self._step.warehouse.in_transaction(work)
        self.confirmed |= set(confirmed)
        self.failures += [RecordFailure("partner", str(each), reason) for each, reason in sorted(refused.items())]

    def figures(self, items: Sequence[PushItem]) -> dict[str, Any]:
        """What became of the differences, and whom the CRM was not told of."""
        return {
            "sent": self.sent,
            "confirmed": len(self.confirmed),
            "failed": len(self.failures),
            "partners_without_crm_id": self.planned.without_crm_id,
            "partners_withheld": len(self.planned.withheld),
            "partners_withheld_sample": named(self.planned.withheld)[:SHOWN],
            "differences": self.as_table(items),
        }

    @staticmethod
    def as_table(items: Sequence[PushItem]) -> dg.TableMetadataValue:
        """The first differences, for people who look at the asset."""
        records = [
            dg.TableRecord(
                {
                    "account": item.impartner_id,
                    "field": name,
                    "confirmed": "never" if old is None else str(old),
                    "now": str(new),
                }
            )
            for item in items
            for name, (old, new) in item.changes.items()
        ]
        columns = [dg.TableColumn("account", "int"), *(dg.TableColumn(name) for name in ("field", "confirmed", "now"))]
        return dg.MetadataValue.table(records[:SHOWN], schema=dg.TableSchema(columns))


def _trusted(pushed: Pushed) -> Mapping[str, Any]:
    """What may be taken for confirmed: nothing, when a later attempt never came to an end (its values may stand)."""
    unfinished = pushed.last_attempt_at is not None and (
        pushed.confirmed_at is None or pushed.last_attempt_at > pushed.confirmed_at
    )
    return {} if unfinished else pushed.fields


@asset_of("pushed_partner_cert_counts", table="pushed_partner_counts")
def pushed_partner_cert_counts(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Send the CRM what differs from what it last confirmed, read it back, and remember what it refused."""
    with sync_step(context, lms, "pushed_partner_cert_counts") as step:
        settings = lms.settings()
        push = Push(step, portal_url=settings.portal_url)
        items, partners = push.planned.items, push.planned.partners
        if settings.push_dry_run:
            step.write(lambda _: SyncCounts(), details={"dry_run": True, "differing": len(items)})
            return step.result(partners, dry_run=True, differing=len(items), differences=push.as_table(items))
        require_upstream_checks(step)
        compare_clocks(step, lms)
        with lms.impartner() as client:
            push.refuse_sudden_fall(client, items)
            step.note_uses()
            push.send(client, items)
            step.used(client.http)
        step.on_commit(lambda connection: remember_pushed_total(connection, now=step.now))
        counts = SyncCounts(updated=len(push.confirmed), unchanged=partners - len(items))
        details = {"dry_run": False, "differing": len(items), "failed": len(push.failures)}
        step.write(lambda _: counts, failures=push.failures, details=details)
        return step.result(partners, dry_run=False, differing=len(items), **push.figures(items))
