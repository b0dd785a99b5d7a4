"""The push of one run: what differs, sent in batches, read back, remembered. An account that fails is alone in it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.clocks import compare_clocks
from lms_assets.assets.run_order import run_of
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.assets.tier_4_aggregation_and_push.push_planning import plan_of
from lms_assets.assets.upstream_checks import recount_once, require_upstream_checks
from lms_assets.domain.counting.push_plan import (
    PushItem,
    compare_read_back,
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
from lms_assets.warehouse.bookkeeping.push_log import CONFIRMED, Answer, Sending, note_answers, note_sending
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


class Push:
    """Plans at once and sends later. Figures are there once `send` is done."""

    def __init__(self, step: Step, *, portal_url: str | None, only: int | None = None) -> None:
        self._step = step
        self.planned = plan_of(step.warehouse, step.rules, portal_url=portal_url, only=only)
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
        """One call. What is sent is in the log before it leaves: a crash in between cannot lose it."""
        warehouse, now, sending_id = self._step.warehouse, self._step.clock(), uuid4().hex
        ids = [item.impartner_id for item in batch]
        sendings = [each for item in batch for each in self._sendings(item)]

        def note(connection: Connection) -> None:
            remember_attempts(connection, ids, now=now)
            note_sending(connection, sendings, sending_id=sending_id, run_id=self._step.run_id, now=now)

        warehouse.in_transaction(note)
        answers: dict[int, Answer] = {}
        read: dict[int, Mapping[str, Any]] = {}
        try:
            rows = [{"Id": item.impartner_id, **item.fields} for item in batch]
            results = client.patch_accounts(rows, same=same_value)
            answers = {each.impartner_id: _refused(each.error, each.code) for each in results if not each.ok}
            self.sent += len(batch)
            accepted = {item.impartner_id: item.fields for item in batch if item.impartner_id not in answers}
            read = self._read_back(client, accepted)
            answers |= _judged(accepted, read)
        except VendorError as error:
            answers |= {each: _refused(str(error), error.code) for each in ids if each not in answers}
            if error.stops_everything:
                warehouse.in_transaction(lambda c: note_answers(c, sending_id, answers, read, now=self._step.clock()))
                raise
        self._remember(batch, answers, read, sending_id)

    def _sendings(self, item: PushItem) -> Iterator[Sending]:
        """Each field of an account with what is known of it, for the log."""
        number = item.impartner_id
        memory = self.planned.memory.get(number)
        confirmed = memory.fields if memory else {}
        shown = self.planned.shown.get(number, {})
        for name, value in item.fields.items():
            row_id = self.planned.row_ids.get(number)
            yield Sending(row_id, number, name, confirmed.get(name), shown.get(name), value)

    def _read_back(
        self, client: ImpartnerClient, accepted: Mapping[int, Mapping[str, Any]]
    ) -> dict[int, Mapping[str, Any]]:
        """What the CRM shows of the accounts that accepted the change."""
        if not accepted:
            return {}
        names = sorted({name for fields in accepted.values() for name in fields})
        return dict(client.by_ids("Account", sorted(accepted), names))

    def _remember(
        self,
        batch: Sequence[PushItem],
        answers: Mapping[int, Answer],
        read: Mapping[int, Mapping[str, Any]],
        sending_id: str,
    ) -> None:
        """Confirmed values, refusals and the log's answers, in one transaction, as of after the reading back."""
        now = self._step.clock()
        refused = {key: each.message or "" for key, each in answers.items() if each.outcome != CONFIRMED}
        confirmed = {item.impartner_id: item.fields for item in batch if item.impartner_id not in refused}

        def work(connection: Connection) -> None:
            remember_confirmed(connection, confirmed, now=now)
            remember_refused(connection, refused, now=now)
            note_answers(connection, sending_id, answers, read, now=now)

        self._step.warehouse.in_transaction(work)
        self.confirmed |= set(confirmed)
        self.failures += [RecordFailure("partner", str(each), reason) for each, reason in sorted(refused.items())]

    def write(self, only: int | None) -> None:
        """Close the sync. A push of one partner says nothing about the others, nor about when all were last sent."""
        step, items = self._step, self.planned.items
        if only is None:
            step.on_commit(lambda connection: remember_pushed_total(connection, now=step.now))
            step.on_commit(lambda connection: remember_rules(connection, "pushed", step.rules, now=step.now))
        counts = SyncCounts(updated=len(self.confirmed), unchanged=self.planned.partners - len(items))
        details = {
            "dry_run": False,
            "differing": len(items),
            "failed": len(self.failures),
            "as_of": step.chain_started_at.isoformat(),
        }
        step.write(
            lambda _: counts,
            failures=self.failures,
            complete=only is None,
            right={str(each) for each in self.confirmed},
            details=details if only is None else {**details, "only": only},
        )

    def figures(self, items: Sequence[PushItem]) -> dict[str, Any]:
        """What became of the differences, and which partners were not sent."""
        return {
            "sent": self.sent,
            "confirmed": len(self.confirmed),
            "failed": len(self.failures),
            "partners_without_crm_id": len(self.planned.without_crm_id),
            "partners_withheld": len(self.planned.withheld),
            "partners_withheld_sample": named(self.planned.withheld)[:SHOWN],
            "differences": self.as_table(items),
        }

    def as_table(self, items: Sequence[PushItem]) -> dg.TableMetadataValue:
        """The first differences, for people who look at the asset."""
        records = [
            dg.TableRecord(
                {
                    "account": item.impartner_id,
                    "field": name,
                    "confirmed": "never" if old is None else str(old),
                    "crm_shows": str(self.planned.shown.get(item.impartner_id, {}).get(name, "")),
                    "now": str(new),
                }
            )
            for item in items
            for name, (old, new) in item.changes.items()
        ]
        columns = [dg.TableColumn("account", "int"), *map(dg.TableColumn, ("field", "confirmed", "crm_shows", "now"))]
        return dg.MetadataValue.table(records[:SHOWN], schema=dg.TableSchema(columns))


def _refused(message: str | None, code: str | None) -> Answer:
    return Answer("refused", code, message or "refused")


def _judged(accepted: Mapping[int, Mapping[str, Any]], read: Mapping[int, Mapping[str, Any]]) -> dict[int, Answer]:
    """What became of the accounts that accepted the change: they show it, or a field of it differs."""
    answers = dict.fromkeys(accepted, Answer(CONFIRMED))
    for each in compare_read_back(accepted, read):
        answers[each.impartner_id] = Answer("differs", None, f"{each.field} was accepted and reads back differently")
    return answers


@asset_of("pushed_partner_cert_counts")
def pushed_partner_cert_counts(
    context: dg.AssetExecutionContext, impartner: ImpartnerResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Send the CRM what differs from what it last confirmed, read it back, and remember what it refused."""
    with sync_step(context, warehouse, "pushed_partner_cert_counts") as step:
        settings = impartner.settings()
        only = _one_partner(context)
        recount_once(step)
        push = Push(step, portal_url=settings.portal_url, only=only)
        items, partners = push.planned.items, push.planned.partners
        if settings.push_dry_run:
            step.write(lambda _: SyncCounts(), details={"dry_run": True, "differing": len(items)})
            return step.result(partners, dry_run=True, differing=len(items), differences=push.as_table(items))
        require_upstream_checks(step)
        compare_clocks(step, impartner)
        with impartner.client() as client:
            push.refuse_sudden_fall(client, items)
            step.note_uses()
            push.send(client, items)
            step.used(client.http)
        push.write(only)
        return step.result(partners, dry_run=False, differing=len(items), **push.figures(items))


def _one_partner(context: dg.AssetExecutionContext) -> int | None:
    """The partner that somebody wants sent again; None: all that differ."""
    text = run_of(context).tags.get(PUSH_PARTNER_TAG)
    return int(text) if text else None
