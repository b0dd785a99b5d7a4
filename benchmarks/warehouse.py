"""Writing, linking and counting by themselves, without vendors: processor seconds and peak memory of each.

    make bench-warehouse                          the real volume, SQLite and MariaDB, about three minutes
    make bench-warehouse BENCH="--scale 10 --database mariadb"
    make bench-warehouse BENCH="--work contacts_changed --work contacts_row_by_row"

Every work is a process of its own on the same database, in the order of the table. `processor` is the work's own and,
with MariaDB, the server's; compare these and the ratios below, since wall time depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import psutil
import pymysql
from sqlalchemy import select, update
from sqlalchemy.dialects import mysql, sqlite

from benchmarks.warehouse_rows import NOW, fill
from lms_assets.assets.tier_2_users_and_groups.users import link_contacts_to_users
from lms_assets.assets.tier_4_aggregation_and_push.certifications import read_ledger_plan
from lms_assets.assets.tier_4_aggregation_and_push.counts import read_count_plan, write_count_plan
from lms_assets.domain.counting.push import CONFIRMED, Answer, Sending
from lms_assets.domain.rules import Rules
from lms_assets.warehouse.bookkeeping.push_log import note_answers, note_sending
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.reading.enrollments import stored_enrollments
from lms_assets.warehouse.reading.foundation import partner_names, stored_partners
from lms_assets.warehouse.reading.people import stored_users
from lms_assets.warehouse.reading.whole import row_count
from lms_assets.warehouse.reading.withheld import withheld_partners
from lms_assets.warehouse.results.ledger import write_ledger
from lms_assets.warehouse.schema.tables import contacts, lms_enrollments, lms_users
from lms_assets.warehouse.state.pushed_values import remember_attempts, remember_confirmed
from lms_assets.warehouse.upsert.compare import chunks
from lms_assets.warehouse.upsert.upsert import update_existing, upsert
from lms_assets_tests.harness.mariadb import MariaDbServer

LATER = NOW.replace(hour=3)
ROW_BY_ROW = 10_000
Work = Callable[[], int]


@dataclass(frozen=True)
class Used:
    """What a work came to: wall and processor seconds, peak memory, rows."""

    rows: int
    wall: float
    processor: float
    peak_mb: float


def _given_contacts(warehouse: Warehouse, title: str | None) -> list[dict[str, Any]]:
    names = ("id", "partner_id", "email", "first_name", "last_name", "title", "phone", "is_primary", "impartner_id",
             "is_active", "deleted_at", "crm_last_modified")  # fmt: skip
    with warehouse.read() as connection:
        rows = connection.execute(select(*(contacts.c[name] for name in names)))
        given = [dict(zip(names, row, strict=True)) for row in rows]
    return [{**row, "title": f"{title} {row['id'] % 97}"} for row in given] if title else given


def _upsert_contacts(warehouse: Warehouse, title: str | None) -> Work:
    given = _given_contacts(warehouse, title)

    def work() -> int:
        counts = warehouse.in_transaction(lambda c: upsert(c, contacts, given, key=("id",), now=LATER))
        return counts.processed

    return work


def _contacts_row_by_row(warehouse: Warehouse, *, commit_each: bool) -> Work:
    """As a simple sync does it: INSERT ... ON DUPLICATE KEY UPDATE for each row, and no comparison at all."""
    given = _given_contacts(warehouse, f"Row by row {commit_each}")[:ROW_BY_ROW]
    names = [name for name in given[0] if name != "id"]
    statement: Any
    if warehouse.is_sqlite:
        of_sqlite = sqlite.insert(contacts)
        changes = {name: of_sqlite.excluded[name] for name in names}
        statement = of_sqlite.on_conflict_do_update(index_elements=["id"], set_={**changes, "updated_at": LATER})
    else:
        of_mysql = mysql.insert(contacts)
        changes = {name: of_mysql.inserted[name] for name in names}
        statement = of_mysql.on_duplicate_key_update({**changes, "updated_at": LATER})

    def work() -> int:
        for part in chunks(given, 1 if commit_each else len(given)):
            with warehouse.transaction() as connection:
                for row in part:
                    connection.execute(statement, row)
        return len(given)

    return work


def _contacts_load_data(warehouse: Warehouse) -> Work:
    """The least a server takes for the same change: LOAD DATA LOCAL into a temporary table, one UPDATE by a join."""
    given = _given_contacts(warehouse, "Loaded")
    names = list(given[0])
    changes = ", ".join(f"stored.{name} = given.{name}" for name in names if name != "id")
    file = Path(tempfile.mkdtemp()) / "contacts.tsv"
    file.write_text("".join("\t".join(map(_field, row.values())) + "\n" for row in given))
    connection = pymysql.connect(**_login(warehouse), local_infile=True)

    def work() -> int:
        with connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMPORARY TABLE given AS SELECT {', '.join(names)} FROM contacts LIMIT 0")
            cursor.execute("ALTER TABLE given ADD PRIMARY KEY (id)")
            cursor.execute(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE given")
            cursor.execute(f"UPDATE contacts AS stored JOIN given ON stored.id = given.id SET {changes}")
            connection.commit()
        return len(given)

    return work


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    return str(int(value)) if isinstance(value, bool) else str(value).removesuffix("+00:00")


def _login(warehouse: Warehouse) -> dict[str, Any]:
    url = warehouse.engine.url
    return {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "database": url.database,
    }


def _enrollments(warehouse: Warehouse, *, changed: bool) -> Work:
    with warehouse.read() as connection:
        given = list(stored_enrollments(connection))
    if changed:
        given = [replace(each, progress_percent=int(each.id[-2:]) % 100) for each in given]

    def work() -> int:
        counts = warehouse.in_transaction(lambda c: upsert(c, lms_enrollments, given, key=("id",), now=LATER))
        return counts.processed

    return work


def _link(warehouse: Warehouse, *, again: bool) -> Work:
    if not again:
        with warehouse.transaction() as connection:
            connection.execute(update(contacts).values(lms_user_id=None))
            connection.execute(update(lms_users).values(contact_id=None))

    def linked(connection: Connection) -> int:
        link_contacts_to_users(connection, LATER)
        return row_count(connection, contacts)

    return lambda: warehouse.in_transaction(linked)


def _mark_people(warehouse: Warehouse) -> Work:
    with warehouse.read() as connection:
        ids = [row.id for row in stored_users(connection)]

    def mark(connection: Connection) -> int:
        rows = ({"id": each, "enrollment_synced_at": LATER, "transcript_due_since": None} for each in ids)
        return update_existing(connection, lms_users, rows, key=("id",), now=LATER).processed

    return lambda: warehouse.in_transaction(mark)


def _ledger(warehouse: Warehouse) -> Work:
    def work() -> int:
        with warehouse.read() as connection:
            plan = read_ledger_plan(connection, Rules(), LATER, LATER)
        warehouse.in_transaction(lambda connection: write_ledger(connection, plan, now=LATER))
        return len(plan.rows)

    return work


def _counts(warehouse: Warehouse) -> Work:
    def work() -> int:
        with warehouse.read() as connection:
            plan = read_count_plan(connection, partner_names(connection), Rules())
        warehouse.in_transaction(lambda connection: write_count_plan(connection, plan, Rules(), LATER))
        return len(plan.counts)

    return work


def _recount(warehouse: Warehouse) -> Work:
    from lms_assets.warehouse.reading.recount_comparison import recount_differences

    def work() -> int:
        with warehouse.read() as connection:
            differing = recount_differences(connection, Rules(), LATER)
            if differing:
                raise SystemExit(f"the recount differs: {list(differing.items())[:3]}")
            return len(partner_names(connection))

    return work


def _withheld(warehouse: Warehouse) -> Work:
    def work() -> int:
        with warehouse.read() as connection:
            withheld_partners(connection, Rules())
            return len(partner_names(connection))

    return work


def _push_bookkeeping(warehouse: Warehouse) -> Work:
    """What the first push of every partner writes down, 50 accounts a call, all confirmed."""
    fields = {"Certifications_A": 1, "Certifications_B": 2, "Certifications_C": 0, "Total": 5, "Group": "A group"}

    def work() -> int:
        with warehouse.read() as connection:
            accounts = [row.impartner_id for row in stored_partners(connection) if row.impartner_id]
        for batch in chunks(accounts, 50):
            sendings = [Sending(1, each, name, None, None, value) for each in batch for name, value in fields.items()]
            confirmed = dict.fromkeys(batch, fields)
            _note(warehouse, batch, sendings, confirmed)
        return len(accounts)

    return work


def _note(
    warehouse: Warehouse, batch: list[int], sendings: list[Sending], confirmed: dict[int, dict[str, Any]]
) -> None:
    call = f"call {batch[0]}"
    with warehouse.transaction() as connection:
        remember_attempts(connection, batch, now=LATER)
        note_sending(connection, sendings, sending_id=call, run_id="run", now=LATER)
    with warehouse.transaction() as connection:
        remember_confirmed(connection, confirmed, now=LATER)
        note_answers(connection, call, dict.fromkeys(batch, Answer(CONFIRMED)), confirmed, now=LATER)


WORKS: dict[str, Callable[[Warehouse], Work]] = {
    "nothing": lambda warehouse: lambda: 0,
    "contacts_changed": lambda warehouse: _upsert_contacts(warehouse, "Consultant"),
    "contacts_unchanged": lambda warehouse: _upsert_contacts(warehouse, None),
    "contacts_row_by_row": lambda warehouse: _contacts_row_by_row(warehouse, commit_each=True),
    "contacts_row_by_row_one_commit": lambda warehouse: _contacts_row_by_row(warehouse, commit_each=False),
    "contacts_load_data": _contacts_load_data,
    "enrollments_changed": lambda warehouse: _enrollments(warehouse, changed=True),
    "enrollments_unchanged": lambda warehouse: _enrollments(warehouse, changed=False),
    "link_first": lambda warehouse: _link(warehouse, again=False),
    "link_again": lambda warehouse: _link(warehouse, again=True),
    "mark_people_read": _mark_people,
    "ledger_first": _ledger,
    "ledger_again": _ledger,
    "counts_first": _counts,
    "counts_again": _counts,
    "recount": _recount,
    "withheld": _withheld,
    "push_bookkeeping": _push_bookkeeping,
}
ON_MARIADB_ONLY = ("contacts_load_data",)
RATIOS = (
    ("contacts_row_by_row", "contacts_changed"),
    ("contacts_row_by_row_one_commit", "contacts_changed"),
    ("contacts_changed", "contacts_unchanged"),
    ("enrollments_changed", "enrollments_unchanged"),
    ("link_first", "link_again"),
)


def _do(name: str, url: str, server: int, scale: float) -> None:
    """In a process of its own: one work, its figures as JSON."""
    warehouse = Warehouse(url)
    work = WORKS[name](warehouse) if name != "fill" else lambda: fill(warehouse, scale)
    processes = [psutil.Process(), *([psutil.Process(server)] if server else [])]
    before, begun = _processor(processes), time.perf_counter()
    rows = work()
    wall, processor = time.perf_counter() - begun, _processor(processes) - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps([rows, round(wall, 2), round(processor, 2), round(peak)]))


def _processor(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


@contextlib.contextmanager
def _database(kind: str, on_disk: bool) -> Iterator[tuple[str, int]]:
    """A warehouse's address and the process id of its server, 0 for none."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/warehouse.db", 0
        return
    server = MariaDbServer(on_disk=on_disk)
    server.create()
    try:
        server.execute(
            "CREATE DATABASE portal CHARACTER SET utf8mb4",
            "SET GLOBAL innodb_buffer_pool_size=268435456",
            "SET GLOBAL local_infile=1",
        )
        yield server.url("portal"), server.pid
    finally:
        server.remove()


def _measure(name: str, url: str, server: int, scale: float) -> Used:
    command = [sys.executable, "-m", "benchmarks.warehouse", "--do", name, url, str(server), str(scale)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Used(*json.loads(done.stdout))


def _show(name: str, used: Used) -> None:
    each = f"{used.rows / used.processor:>10,.0f} rows/s" if used.processor and used.rows else ""
    figures = f"{used.rows:>9,} {used.wall:>8.2f} {used.processor:>10.2f} {used.peak_mb:>8.0f}"
    print(f"  {name:<30} {figures} {each}", flush=True)


def main() -> int:
    """Measure and print; always 0."""
    parser = argparse.ArgumentParser(prog="make bench-warehouse")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the real volume")
    parser.add_argument("--database", action="append", choices=("sqlite", "mariadb"), help="both when left out")
    parser.add_argument("--work", action="append", choices=list(WORKS), help="all when left out")
    parser.add_argument("--on-disk", action="store_true", help="MariaDB on a disk that is waited for at every commit")
    parser.add_argument("--out", type=Path, help="a JSON file")
    parser.add_argument("--do", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        name, url, server, scale = cast(list[str], options.do)
        _do(name, url, int(server), float(scale))
        return 0
    found: dict[str, dict[str, Any]] = {}
    for kind in options.database or ("sqlite", "mariadb"):
        print(f"\n{kind}, scale {options.scale:g}")
        print(f"  {'':<30} {'rows':>9} {'wall s':>8} {'processor':>10} {'peak MB':>8}")
        used: dict[str, Used] = {}
        with _database(kind, options.on_disk) as (address, server_id):
            works = [name for name in options.work or WORKS if server_id or name not in ON_MARIADB_ONLY]
            for name in ("fill", *works):
                used[name] = _measure(name, address, server_id, options.scale)
                _show(name, used[name])
        for slow, fast in RATIOS:
            if slow in used and fast in used:
                ratio = (used[slow].processor / used[slow].rows) / (used[fast].processor / used[fast].rows)
                wall = (used[slow].wall / used[slow].rows) / (used[fast].wall / used[fast].rows)
                print(f"  {slow} / {fast}: {ratio:.1f} by processor, {wall:.1f} by wall, a row")
        found[kind] = {name: vars(each) for name, each in used.items()}
    if options.out:
        options.out.write_text(json.dumps({"scale": options.scale, "results": found}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
