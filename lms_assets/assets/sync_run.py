"""What every asset's sync shares: its row in `sync_logs`, its one transaction, its progress and its metadata."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import dagster as dg

from lms_assets.asset_specs import STEP_RETRIES
from lms_assets.assets.run_order import WrongOrder, chain_started_at, refuse_wrong_order, run_of
from lms_assets.domain.records.contacts import DUPLICATE_EMAIL
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.deactivation_limit import (
    Leaving,
    SyncStopped,
    check_deactivation_limit,
    most_deactivations,
)
from lms_assets.domain.safety.overrides import Overrides, mass_deactivation
from lms_assets.domain.safety.run_instants import require_same_time
from lms_assets.lineage import ENTRIES
from lms_assets.resources import WarehouseResource
from lms_assets.runs.liveness import home_of, is_alive
from lms_assets.runs.progress import Progress, report_progress
from lms_assets.runs.tags import FINAL, overrides_of
from lms_assets.runs.write_locks import GroupIsBusy, Turn
from lms_assets.vendors.transport.client import VendorHttp
from lms_assets.vendors.transport.errors import PermanentVendorError
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.bookkeeping.failures import REFUSED, RecordFailure, note_refused, replace_failures
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.errors import WarehouseError
from lms_assets.warehouse.reading import whole
from lms_assets.warehouse.state.baselines import deactivated_lately, note_deactivations
from lms_assets.warehouse.state.overrides import note_uses
from lms_assets.warehouse.upsert.upsert import SyncCounts

T = TypeVar("T")
PROGRESS_SECONDS = 2.0


class OrphanedStep(Exception):
    """The run that this step belongs to is over; it must not write."""


class Step:
    """One asset's sync while it runs. Made by `sync_step`."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        key: str,
        *,
        rules: Rules,
        clock: Callable[[], datetime],
    ) -> None:
        self.context = context
        self.warehouse = warehouse
        self.key = key
        self.sync_type = ENTRIES[key].sync_type
        self.rules = rules
        self.clock = clock
        self.started_at = clock()
        self._began = time.monotonic()
        self.metadata: dict[str, Any] = {}
        self.api_calls = 0
        self._log_id = sync_log.start(warehouse, self.sync_type, now=self.started_at)
        self._parent = os.getppid()
        self.run = run_of(context)
        self.turn = Turn(warehouse, key, self.run.run_id, self.run.job_name)
        self._last_progress = 0.0
        self._on_commit: list[Callable[[Connection], None]] = []
        self.overrides = Overrides()
        """What this run was allowed, and the command that allows more."""

    @property
    def now(self) -> datetime:
        """The instant with which this step stamps what it writes: its own start."""
        return self.started_at

    @property
    def chain_started_at(self) -> datetime:
        """When the chain of this run began, the same in every step and in a resumed run (tag `lms/as_of` overrides)."""
        return chain_started_at(self.context)

    @property
    def run_id(self) -> str:
        """The id of this run."""
        return self.run.run_id

    @property
    def chain_key(self) -> str:
        """The id of the chain's first run; a resumed chain has the same."""
        return self.run.root_run_id or self.run.run_id

    def allows(self, what: str, number: int | None = None) -> bool:
        """Whether an override of this run (`domain.safety.overrides`) allows passing a limit; a yes is noted as a use.

        Args:
            number: how many rows, or how much more than the limit.
        """
        return self.overrides.allows(what, number)

    def note_uses(self) -> None:
        """Note the limits that were passed now; else the transaction of `write` does it."""
        self.warehouse.in_transaction(self._note_uses)

    def _note_uses(self, connection: Connection) -> None:
        note_uses(connection, self.overrides, asset=self.key, run_id=self.run.run_id, now=self.now)

    def progress(self, noun: str, done: int, total: int | None = None, *, last: bool = False) -> None:
        """Say how far the step is, at most every two seconds, in the run's log."""
        now = time.monotonic()
        if last or now - self._last_progress >= PROGRESS_SECONDS:
            self._last_progress = now
            report_progress(self.context.log, self.run, self.key, Progress(noun, done, total))

    def counted(self, items: Iterator[T], noun: str, total: int | None = None) -> Iterator[T]:
        """Pass items on and say how many came by."""
        done = 0
        for done, item in enumerate(items, start=1):
            yield item
            self.progress(noun, done, total)
        self.progress(noun, done, total, last=True)

    def require_live_run(self) -> None:
        """Refuse to go on once the run is over or its worker is gone: somebody else may be writing by now.

        Raises:
            OrphanedStep: the run was killed, cancelled or marked as failed.
            GroupIsBusy: another run writes the same rows.
        """
        run = self.context.instance.get_run_by_id(self.run.run_id)
        # With the fork server the parent lives on when the run's worker is killed; the worker's lock does not.
        orphaned = os.getppid() != self._parent or is_alive(home_of(self.context.instance), self.run.run_id) is False
        if orphaned or run is None or run.is_finished:
            raise OrphanedStep(f"The run of {self.key} is over; nothing was written")
        self.turn.require()

    def write(
        self,
        work: Callable[[Connection], SyncCounts],
        *,
        failures: Iterable[Rejected | RecordFailure] = (),
        complete: bool = True,
        right: Container[str] = frozenset(),
        details: Mapping[str, Any] | None = None,
        skipped: int = 0,
    ) -> SyncCounts:
        """Do all the writing of this sync in one transaction, its failures and its row of `sync_logs` included.

        Args:
            work: writes the rows; run again, whole, after a deadlock or a lost connection.
            failures: every record that could not be used this time.
            complete: the source was read completely, so earlier failures that are not among them are over.
            right: otherwise, ids of the records that came through this time.
            details: for the log's row; plain JSON.
            skipped: records that a rule left out.
        """
        failures = list(failures)

        def once(connection: Connection) -> SyncCounts:
            counts = work(connection)
            for also in (*self._on_commit, self._note_uses):
                also(connection)
            for entity_type in ENTRIES[self.key].records:
                failed = [each for each in failures if each.entity_type == entity_type]
                replace_failures(
                    connection, self.sync_type, entity_type, failed, now=self.now, complete=complete, right=right
                )
            over = note_refused(
                connection, self.key, counts.rejected_rows, complete=complete, right=right, now=self.now
            )
            replace_failures(
                connection, self.sync_type, REFUSED, counts.rejected_rows, now=self.now, complete=complete, right=over
            )
            sync_log.complete(
                connection,
                self._log_id,
                now=self.clock(),
                counts=counts,
                api_calls=self.api_calls,
                skipped=skipped,
                failed=sum(each.entity_type != DUPLICATE_EMAIL for each in failures),
                details=self._with_calls(details),
            )
            return counts

        self.require_live_run()
        counts = self.warehouse.in_transaction(once)
        self.metadata |= counts.figures()
        return counts

    def _with_calls(self, details: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Also what the vendors' limits cost; the number of calls has a column of its own."""
        calls: dict[str, Any] = {
            name: self.metadata[name] for name in ("api_retries", "api_throttled") if name in self.metadata
        }
        return {**(details or {}), **calls} or None

    def on_commit(self, work: Callable[[Connection], None]) -> None:
        """Have `work` done in the transaction of `write`, after its rows."""
        self._on_commit.append(work)

    def used(self, http: VendorHttp) -> None:
        """Add the calls of a vendor's client to what this step reports, and compare the clocks.

        Raises:
            ClockDiffers: this machine's clock and the vendor's are too far apart.
        """
        self.api_calls += http.calls
        self.metadata["api_calls"] = self.api_calls
        self.metadata["api_retries"] = self.metadata.get("api_retries", 0) + http.retries
        self.metadata["api_throttled"] = self.metadata.get("api_throttled", 0) + http.throttled
        require_same_time(http.vendor, http.clock.seconds_ahead)

    def result(self, row_count: int | None = None, **metadata: Any) -> dg.MaterializeResult[Any]:
        """The materialisation: rows in the table, what changed, calls and seconds.

        Args:
            row_count: rows of the asset, where these are not those of its table.
        """
        if row_count is None:
            with self.warehouse.read() as connection:
                row_count = whole.row_count(connection, ENTRIES[self.key].table)
        seconds = time.monotonic() - self._began
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": row_count,
                "dagster/table_name": self.warehouse.full_name(ENTRIES[self.key].table),
                **self.metadata,
                "duration_seconds": round(seconds, 2),
                **metadata,
            }
        )

    def failed(self, error: BaseException) -> None:
        """Close the sync's log row as failed; whatever it was about to write is not there.

        With the warehouse away the row stays `running` until the next sync of this type closes it.
        """
        try:
            sync_log.fail(
                self.warehouse,
                self._log_id,
                now=self.clock(),
                error=str(error) or type(error).__name__,
                api_calls=self.api_calls,
                details=error.facts if isinstance(error, SyncStopped) else None,
            )
        except WarehouseError as incident:
            self.context.log.warning(f"The failure of {self.key} could not be noted in sync_logs: {incident}")


# Running again does not help before somebody changes something.
CAME_TOO_LATE = (OrphanedStep, GroupIsBusy)
NO_USE_RETRYING = (PermanentVendorError, SyncStopped, *CAME_TOO_LATE)


@contextmanager
def sync_step(context: dg.AssetExecutionContext, database: WarehouseResource, key: str) -> Iterator[Step]:
    """One asset's sync from its first line in the log to its last.

    Raises:
        dagster.Failure: something that running again does not fix; neither step nor run is retried for it.
    """
    rules = database.rules()
    with database.open() as warehouse:
        step = Step(context, warehouse, key, rules=rules, clock=database.now)
        try:
            step.turn.require()
            refuse_wrong_order(context, key, step.now)
            step.overrides = overrides_of(context.instance, step.run, warehouse, step.now)
            yield step
        except NO_USE_RETRYING as error:
            step.failed(error)
            # A run that was killed or came second is to be continued, whatever its steps say.
            final = {} if isinstance(error, CAME_TOO_LATE) else FINAL
            raise dg.Failure(str(error), metadata=final, allow_retries=False) from error
        except BaseException as error:
            step.failed(error)
            raise
        finally:
            step.turn.release()


def or_keep_last_good(
    context: dg.AssetExecutionContext, key: str, work: Callable[[], dg.MaterializeResult[Any]]
) -> dg.MaterializeResult[Any]:
    """For an asset that the chain can do without: after the last retry the last good rows stay and the chain goes on.

    The materialisation then says so, and the asset's `..._are_current` check fails, which makes the chain `partial`.
    """
    try:
        return work()
    except Exception as error:
        if isinstance(error.__cause__, (*CAME_TOO_LATE, WrongOrder)):
            # Not this asset failed, its run is over or must not go on: to call that a success would end the chain
            # without it.
            raise
        permanent = isinstance(error, dg.Failure) and not error.allow_retries
        if not permanent and getattr(context, "retry_number", 0) < STEP_RETRIES.max_retries:
            raise
        reason = error.description if isinstance(error, dg.Failure) else str(error)
        context.log.error(f"{key} could not be synced; the last good rows stay: {reason}")
        return dg.MaterializeResult(metadata={"kept_last_good_rows": True, "reason": reason or type(error).__name__})


def sample_beyond(step: Step, kind: str, active: int) -> int | None:
    """Of more rows than this a sample is asked for by id: they are above the limit, which stops them in any case.

    None when an override of this run lets them go: then each is asked for.
    """
    return None if mass_deactivation(kind) in step.overrides else most_deactivations(active, step.rules)


def stop_if_too_many(
    step: Step, kind: str, active: int, leaving: Iterable[object], parts: Mapping[str, int] | None = None
) -> None:
    """The deactivation limit: refuse to take away more than the set share within 24 hours, before anything is written.

    What leaves is noted when the step writes, for the runs of the next 24 hours.

    Args:
        kind: as the overrides call it (`domain.safety.overrides`).
        parts: how many leave each part that is judged by itself as well, such as a group.

    Raises:
        MassDeactivationStopped: unless the person who started the run allowed it.
    """
    ids = sorted(str(each) for each in leaving)
    step.metadata["leaving"] = len(ids)
    with step.warehouse.read() as connection:
        lately = sum(deactivated_lately(connection, kind, step.now).values())
    allowed = check_deactivation_limit(Leaving(kind, active, ids, lately), step.rules, step.overrides)
    for scope, number in ({"": len(ids)} if parts is None else parts).items():
        if number:
            note = partial(note_deactivations, kind=kind, number=number, scope=scope, allowed=allowed)
            step.on_commit(partial(note, run_id=step.run.run_id, now=step.now))
