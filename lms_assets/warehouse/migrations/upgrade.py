"""Creating and changing the warehouse's tables, with Alembic, from code: no alembic.ini, no command of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

from lms_assets.domain.wording import number_of
from lms_assets.warehouse.errors import LockedByOthers, UpgradeRefused
from lms_assets.warehouse.migrations.current import current_version, known_versions
from lms_assets.warehouse.migrations.data_steps import lower_case_emails
from lms_assets.warehouse.migrations.reconcile import reconcile
from lms_assets.warehouse.migrations.reconcile_indexes import Reconciled
from lms_assets.warehouse.migrations.refusals import refusals
from lms_assets.warehouse.migrations.warnings import other_schedulers
from lms_assets.warehouse.schema.tables import metadata
from lms_assets.warehouse.server import FOR_UPGRADES, missing_rights, rows_of, server_facts

_LOCK = "lms_assets_schema"
_LOCK_SECONDS = 60


@dataclass(frozen=True)
class UpgradeReport:
    """What an upgrade did.

    Attributes:
        before, after: schema versions; before is None for a database that this project never touched.
        changes: one line for each table, column or index that was made or changed.
        warnings: what a person should look at; nothing was lost.
    """

    before: str | None
    after: str
    changes: tuple[str, ...]
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        if not self.changes:
            text = f"tables are at version {self.after}, nothing to change"
        else:
            text = f"tables are now at version {self.after}; {number_of(len(self.changes), 'change')}"
        return "\n".join([text, *(f"  warning: {warning}" for warning in self.warnings)])


@dataclass(frozen=True)
class UpgradePlan:
    """What an upgrade would do; `refusals` say why it would not begin, each with what to do.

    `warnings` are what a person should look at: it stays as it is.
    """

    changes: tuple[str, ...]
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    rows: int = 0
    """About how many rows the tables hold that are there already; 0 where nobody counts them (SQLite)."""


def _config(connection: Connection | None = None, done: Reconciled | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "lms_assets.warehouse:migrations")
    config.attributes["connection"] = connection
    config.attributes["done"] = done
    return config


def refuse_unfit(connection: Connection, where: str) -> None:
    """Raise UpgradeRefused where something under our names cannot be used, whoever runs the upgrade."""
    if refused := refusals(connection, metadata):
        raise UpgradeRefused(where, refused)


def plan_upgrade(connection: Connection) -> UpgradePlan:
    """What `upgrade` would do with this database, worked out by reading only."""
    refused = refusals(connection, metadata)
    if refused:
        return UpgradePlan((), refused)
    plan = Reconciled(planning=True)
    reconcile(connection, metadata, plan)
    if current_version(connection) != known_versions()[-1]:
        lower_case_emails(connection, plan)
    changes, warnings = tuple(plan.changes), tuple(plan.warnings)
    if connection.dialect.name != "mysql" or not changes:
        return UpgradePlan(changes, warnings=warnings)
    facts = server_facts(connection)
    missing = missing_rights(facts.grants, facts.database, metadata.tables, FOR_UPGRADES)
    refused = _rights_refusal(missing or (), facts.database)
    return UpgradePlan(changes, refused, warnings, rows_of(connection, metadata))


def _rights_refusal(missing: tuple[str, ...], database: str) -> tuple[str, ...]:
    if not missing:
        return ()
    rights = ", ".join(missing)
    remedy = f"GRANT {rights} ON `{database}`.* TO it, or give the DBA the file of `lms-assets db upgrade --sql FILE`"
    return (f"this user lacks {rights}: {remedy}",)


def upgrade(engine: Engine, where: str, done: Reconciled | None = None) -> UpgradeReport:
    """Bring the database to this code's version.

    On SQLite everything is one transaction. MySQL commits each change of a table by itself; every step looks first at
    what is there, so that running it again goes on where it stopped.

    Args:
        done: what was done is added to it; for whoever wants to follow.

    Raises:
        UpgradeRefused: a right is missing, or something under our names cannot be used; nothing was changed.
        LockedByOthers: another upgrade is under way.
        SQLAlchemy's errors, for Warehouse.upgrade to translate.
    """
    with _exclusive(engine, where) as connection:
        if refused := plan_upgrade(connection).refusals:
            raise UpgradeRefused(where, refused)
        before = current_version(connection)
        done = done if done is not None else Reconciled()
        command.upgrade(_config(connection, done), "head")
        # Also fixes what was dropped or altered by hand since.
        reconcile(connection, metadata, done)
        other_schedulers(connection, done)
        after = current_version(connection) or ""
    return UpgradeReport(before, after, tuple(done.changes), tuple(dict.fromkeys(done.warnings)))


@contextmanager
def _exclusive(engine: Engine, where: str) -> Iterator[Connection]:
    """One connection that no other upgrade can have at the same time."""
    with engine.connect() as plain:
        connection = plain.execution_options(lms_writes=True)
        if engine.dialect.name == "sqlite":
            with _sqlite_exclusive(connection):
                yield connection
            return
        got = connection.execute(text("SELECT GET_LOCK(:name, :wait)"), {"name": _LOCK, "wait": _LOCK_SECONDS})
        if got.scalar_one() != 1:
            raise LockedByOthers(where, "another upgrade is under way", "run it again when that is done")
        try:
            yield connection
            connection.commit()
        finally:
            if not connection.invalidated:
                connection.rollback()
                connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": _LOCK})


@contextmanager
def _sqlite_exclusive(connection: Connection) -> Iterator[None]:
    raw = connection.connection.driver_connection
    if raw is None:
        raise RuntimeError("the connection was closed")
    raw.execute("PRAGMA journal_mode = WAL")
    # A table is rebuilt by dropping it, which must not cascade; SQLite heeds this only outside a transaction.
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        with connection.begin():
            yield
    finally:
        raw.execute("PRAGMA foreign_keys = ON")
