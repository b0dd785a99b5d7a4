"""The whole chain in this process within seconds: real HTTP to a sandbox, a real warehouse, waits cut short.

`ChainHarness` holds an environment of its own; nothing of the process's environment stays changed after a run.
"""

# No postponed annotations: Dagster reads a resource's fields from the class itself.

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
from sqlalchemy import select

from lms_assets.checks.specs import CHAIN_IS_WHOLE
from lms_assets.console.running.runner import QUIET
from lms_assets.definitions import defs
from lms_assets.domain.safety.overrides import OVERRIDES
from lms_assets.lineage import ENTRIES
from lms_assets.resources import RESOURCES, ImpartnerResource, NorthpassResource, WarehouseResource
from lms_assets.run_tags import AS_OF_TAG
from lms_assets.runs.tags import allowing_tags, full_range_tags, trailing_days_tags
from lms_assets.sandbox import SandboxConfig
from lms_assets.sandbox.server.server import SandboxHandle
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.client import HttpLimits
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema.tables import metadata
from lms_assets_tests.harness.environment import of_the_product
from lms_assets_tests.harness.limits import PATIENT, at_a_standing_clock
from lms_assets_tests.harness.quick_instance import BATCHES, quick_instance
from lms_assets_tests.harness.templates import empty_sqlite

EVERYTHING = tuple(OVERRIDES)
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SMALL = SandboxConfig(scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0)
"""A vendor state of 110 people and all edge cases; its clock stands still."""

# What tells when a row was written, by which run, or how long it took: the only things that may differ.
STAMPS = {
    "synced_at", "updated_at", "created_at", "fetched_at", "deleted_at", "added_at", "enrollment_synced_at",
    "members_synced_at", "listed_at", "last_api_check", "last_checked_at", "cert_counts_updated_at", "confirmed_at",
    "last_attempt_at", "counted_at", "as_of", "identity_changed_at", "linked_at", "transcript_read_at", "since",
    "transcript_stored_at", "transcript_due_since", "shown_at",
}  # fmt: skip
# The work's own diary: differs from run to run by nature.
DIARIES = {
    "sync_logs", "sync_failures", "task_chain_logs", "task_run_history", "scheduled_tasks", "alert_incidents",
    "email_log", "webhook_events_seen", "sync_state", "alembic_version", "lms_offboarding_plans",
    "lms_offboarding_items", "enrollment_weeks", "partner_cert_history", "partner_certifications", "sync_deactivations",
    "sync_overrides", "sync_override_uses", "partner_push_log", "partner_push_answers", "crm_shown_counts",
}  # fmt: skip

_clocks: list[Callable[[], datetime]] = []
_limits: list[HttpLimits] = [PATIENT]
_opened: list[dict[str, Warehouse]] = []
"""SQLite warehouses by URL, one for all steps of a run: a fresh one would look at the schema and compile every
statement again, a tenth of a chain's time. A server may go between two steps, hence a fresh one for each."""


class QuickWarehouse(WarehouseResource):
    """The product's database, which gives up soon, by the clock of the harness that runs."""

    def now(self) -> datetime:
        return _clocks[-1]()

    @contextmanager
    def open(self) -> Iterator[Warehouse]:
        url = self.settings().warehouse_url
        shared = bool(_opened) and url.startswith("sqlite")
        warehouse = _opened[-1].get(url) if shared else None
        if warehouse is None:
            warehouse = Warehouse(url, lock_wait_seconds=1)
            warehouse.require_current_schema()
        if shared:
            _opened[-1][url] = warehouse
        try:
            yield warehouse
        finally:
            if not shared:
                warehouse.close()


class QuickNorthpass(NorthpassResource):
    """A client that tries as long as the harness that runs."""

    @contextmanager
    def client(self) -> Iterator[NorthpassClient]:
        vendor = self.settings().northpass
        with NorthpassClient(
            vendor.base_url, vendor.api_key, vendor.requests_per_second, limits=_limits[-1], workers=8
        ) as client:
            yield client


class QuickImpartner(ImpartnerResource):
    """A client that tries as long as the harness that runs."""

    @contextmanager
    def client(self) -> Iterator[ImpartnerClient]:
        vendor = self.settings().impartner
        with ImpartnerClient(
            vendor.base_url, vendor.api_key, vendor.tenant_id, vendor.requests_per_second, limits=_limits[-1], workers=8
        ) as client:
            yield client


QUICK_RESOURCES = {"warehouse": QuickWarehouse(), "northpass": QuickNorthpass(), "impartner": QuickImpartner()}


def quick_resources_of(sensor: dg.SensorDefinition) -> dict[str, Any]:
    """Quick resources for what a sensor asks for: Dagster refuses any other."""
    return {name: {**RESOURCES, **QUICK_RESOURCES}[name] for name in sensor.required_resource_keys}


@cache
def quick_definitions() -> dg.Definitions:
    """Everything that Dagster knows of the product, with quick clients."""
    return dg.Definitions(
        assets=defs.assets,
        asset_checks=defs.asset_checks,
        jobs=[*(defs.jobs or []), *map(_alone, ENTRIES)],
        resources={**(defs.resources or {}), **QUICK_RESOURCES},
    )


def _alone(asset: str) -> Any:
    """A job of one asset without its checks."""
    selection = dg.AssetSelection.assets(asset).without_checks()
    return dg.define_asset_job(f"{asset}_alone", selection=selection)


@dataclass(frozen=True)
class ChainResult:
    """How a run ended. `failed` names steps, `errors` gives the innermost message of each; `checks` check to passed.

    `partial`: what the last check of a chain says that ended partial, and for which its run failed; no step did.
    """

    success: bool
    run_id: str
    failed: tuple[str, ...]
    errors: Mapping[str, str]
    checks: Mapping[str, bool]
    metadata: Mapping[str, Mapping[str, Any]] = field(repr=False)
    events: tuple[Any, ...] = field(repr=False)
    partial: str | None = None

    @property
    def red(self) -> set[str]:
        """Checks that are not green."""
        return {name for name, passed in self.checks.items() if not passed}


class ChainHarness:
    """One warehouse and one Dagster instance in memory against one sandbox."""

    def __init__(
        self,
        folder: Path,
        sandbox: SandboxHandle,
        warehouse_url: str | None = None,
        instance: dg.DagsterInstance | None = None,
        **more: str,
    ) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.url = warehouse_url or f"sqlite:///{folder / 'warehouse.db'}"
        self.environment = {
            **of_the_product(sandbox, self.url, folder),
            "LMS_REPORTS_DIR": str(folder / "reports"),
            # Tests count the messages about incidents; the digest has its own.
            "LMS_DAILY_DIGEST": "0",
            **BATCHES,
            **more,
        }
        self.instance = instance or quick_instance(folder)
        self.product_now: datetime | None = None
        """The product's clock, where it is to differ from the sandbox's."""
        self.limits = PATIENT
        self.warehouse = Warehouse(self.url, lock_wait_seconds=5)
        if self.warehouse.is_sqlite and not (folder / "warehouse.db").exists() and warehouse_url is None:
            (folder / "warehouse.db").write_bytes(empty_sqlite())
        else:
            self.warehouse.upgrade()

    @property
    def now(self) -> datetime:
        """The sandbox's clock, UTC."""
        return self.sandbox.sandbox.clock.now()

    def close(self) -> None:
        """Close the warehouse and the instance."""
        self.warehouse.close()
        self.instance.dispose()

    def run(
        self,
        job: str = "daily_full",
        *,
        assets: tuple[str, ...] = (),
        tags: Mapping[str, str] | None = None,
        allow: Collection[str] = (),
        days: int = 7,
        partition: str | None = None,
        alone: bool = False,
        **environment: str,
    ) -> ChainResult:
        """Run a job, or only these assets of it, as of the sandbox's clock; never raises for a failed step.

        Args:
            allow: names of overrides; `EVERYTHING` for all.
            days: what `enrollments_incremental` looks back.
            partition: one week by its Monday instead, as the UI launches it.
            alone: the one asset named, with the job's tags, without any check: half the time.
            environment: variables for this run only.
        """
        merged = {AS_OF_TAG: (self.product_now or self.now).isoformat()}
        if job == "daily_full":
            # A chain works on every week if the running one is chosen; Dagster would record 100 more materialisations.
            merged |= full_range_tags(self.now) if alone else trailing_days_tags(self.now, 1)
        elif job == "enrollments_incremental" and partition is None:
            merged |= trailing_days_tags(self.now, days)
        merged |= allowing_tags(self.warehouse, allow, by="the test")
        definition = quick_definitions().resolve_job_def(job)
        if alone:
            merged = {**definition.tags, **merged}
            definition, assets = quick_definitions().resolve_job_def(f"{assets[0]}_alone"), ()
        with self.surroundings(environment):
            result = definition.execute_in_process(
                run_config=QUIET,
                instance=self.instance,
                partition_key=partition,
                tags={**merged, **(tags or {})},
                asset_selection=[dg.AssetKey(each) for each in assets] or None,
                raise_on_error=False,
            )
        return _described(result)

    @contextmanager
    def surroundings(self, environment: Mapping[str, str] | None = None) -> Iterator[None]:
        """The environment and the clock of this harness, for what is called without `run`."""
        cleared = {name: "" for name in os.environ if name.startswith(("LMS_", "NORTHPASS_", "IMPARTNER_"))}
        with (
            mock.patch.dict(os.environ, {**cleared, **self.environment, **(environment or {})}),
            at_a_standing_clock(),
        ):
            _clocks.append(lambda: self.product_now or self.now)
            _limits.append(self.limits)
            _opened.append({})
            try:
                yield
            finally:
                for warehouse in _opened.pop().values():
                    warehouse.close()
                _clocks.pop()
                _limits.pop()

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, every column."""
        return _rows(self.warehouse, table)

    def tables(self) -> dict[str, list[tuple[tuple[str, Any], ...]]]:
        """Every table of data, sorted, without stamps and diaries: equal for two chains that came to the same."""
        return data_of(self.warehouse)

    def advance(self, **span: float) -> datetime:
        """Let the sandbox's clock go on, e.g. `advance(hours=4)`."""
        self.sandbox.mutate("clock", advance_seconds=timedelta(**span).total_seconds())
        return self.now


def data_of(warehouse: Warehouse) -> dict[str, list[tuple[tuple[str, Any], ...]]]:
    """Every table of data, sorted, without stamps and diaries: equal for two chains that came to the same."""
    return {name: sorted(map(_comparable, _rows(warehouse, name)), key=repr) for name in sorted(_data_tables())}


def _rows(warehouse: Warehouse, table: str) -> list[dict[str, Any]]:
    with warehouse.read() as connection:
        return [dict(row._mapping) for row in connection.execute(select(metadata.tables[table]))]


def _data_tables() -> set[str]:
    return set(metadata.tables) - DIARIES


def _comparable(row: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((name, value) for name, value in row.items() if name not in STAMPS))


def _described(result: dg.ExecuteInProcessResult) -> ChainResult:
    errors: dict[str, str] = {}
    shown: dict[str, dict[str, Any]] = {}
    for event in result.all_events:
        if event.is_step_failure and event.step_key is not None:
            errors[event.step_key] = _innermost(event.event_specific_data)
        elif event.event_type_value == "ASSET_MATERIALIZATION" and event.step_key is not None:
            found = event.step_materialization_data.materialization.metadata
            shown[event.step_key] = {name: value.value for name, value in found.items()}
    checks = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
    partial = errors.pop(CHAIN_IS_WHOLE, None)
    success = result.success or (partial is not None and not errors)
    return ChainResult(success, result.run_id, tuple(errors), errors, checks, shown, tuple(result.all_events), partial)


def _innermost(data: Any) -> str:
    if data.user_failure_data is not None and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error.message).strip() if error is not None else ""
