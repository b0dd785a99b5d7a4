"""Preflight's look at the warehouse: tables, and what its server and this user's rights allow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from lms_assets.console.installation.preflight.lines import Line, ok, problem, warning
from lms_assets.domain.safety.clocks import TOLERANCE
from lms_assets.settings import Settings
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import SchemaNotCurrent, UpgradeRefused
from lms_assets.warehouse.reading.reports import executives, managers
from lms_assets.warehouse.schema.tables import metadata
from lms_assets.warehouse.server import FOR_UPGRADES, ServerFacts, missing_rights, server_facts

NAME = "warehouse server"
LEAST_PACKET = 16 * 2**20
UTC_NAMES = {"UTC", "+00:00", "GMT", "Etc/UTC", "Universal", "Zulu"}


def tables(settings: Settings) -> Iterator[Line]:
    """It can be reached and written, and its tables are this version's."""
    warehouse = Warehouse(settings.warehouse_url)
    try:
        warehouse.check_reachable()
        try:
            warehouse.require_current_schema()
        except SchemaNotCurrent:
            if refusals := warehouse.plan_upgrade().refusals:
                raise UpgradeRefused(warehouse.name, refusals) from None
            raise
        warehouse.check_writable()
        for each in warehouse.plan_upgrade().warnings:
            yield problem("warehouse", each)
    finally:
        warehouse.close()
    yield ok("warehouse", f"{warehouse.name}, tables current")


def server(settings: Settings) -> Iterator[Line]:
    """Rights, size of a statement, character set, clock and zone of a MySQL or MariaDB server; nothing on SQLite."""
    warehouse = Warehouse(settings.warehouse_url)
    if warehouse.is_sqlite:
        return
    try:
        with warehouse.read() as connection:
            facts = server_facts(connection)
    finally:
        warehouse.close()
    yield from lines_of_server(facts, datetime.now(UTC))


def recipients(settings: Settings) -> Iterator[Line]:
    """Somebody gets the Monday reports."""
    warehouse = Warehouse(settings.warehouse_url)
    try:
        with warehouse.read() as connection:
            pams, bosses = len(managers(connection)), len(executives(connection))
    finally:
        warehouse.close()
    rows = {"partner_managers": pams, "executive_report_recipients": bosses}
    if empty := [table for table, number in rows.items() if not number]:
        yield warning("recipients", f"nobody in {' and '.join(empty)} gets a Monday report: insert their rows there")
    else:
        yield ok("recipients", f"account managers {pams}, executives {bosses}")


def lines_of_server(facts: ServerFacts, now: datetime) -> Iterator[Line]:
    """What the facts mean, as of this machine's clock (UTC)."""
    yield from _rights(facts)
    if facts.max_allowed_packet < LEAST_PACKET:
        size = f"{facts.max_allowed_packet / 2**20:.0f} MB"
        yield problem(
            NAME, f"max_allowed_packet is {size}: SET GLOBAL max_allowed_packet = {LEAST_PACKET}, and in my.cnf"
        )
    apart = abs(facts.now - now)
    if apart > TOLERANCE:
        yield problem(NAME, f"its clock and this machine's are {apart} apart: set both by NTP")
    if facts.charset != "utf8mb4":
        change = f"ALTER DATABASE `{facts.database}` CHARACTER SET utf8mb4"
        yield warning(NAME, f"tables that others make in it are {facts.charset} and refuse names: {change}")
    if facts.zone not in UTC_NAMES:
        yield warning(NAME, f"its zone is {facts.zone}: this program writes UTC, so the portal has to read UTC")
    yield ok(NAME, f"{facts.version}, max_allowed_packet {facts.max_allowed_packet / 2**20:.0f} MB, {facts.charset}")


def _rights(facts: ServerFacts) -> Iterator[Line]:
    missing = missing_rights(facts.grants, facts.database, metadata.tables)
    if missing is None:
        yield warning(
            NAME, "this user's rights come from a role, which SHOW GRANTS does not tell: SHOW GRANTS FOR the role"
        )
    elif missing:
        yield problem(
            NAME, f"{', '.join(missing)} missing: GRANT {', '.join(missing)} ON `{facts.database}`.* TO this user"
        )
    later = missing_rights(facts.grants, facts.database, metadata.tables, FOR_UPGRADES)
    if later and not missing:
        yield warning(NAME, f"enough for runs; `lms-assets db upgrade` also needs {', '.join(later)}")
