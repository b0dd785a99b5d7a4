"""Partners' counts as another system left them: in this warehouse before our first counting, or in another database."""

from __future__ import annotations

from sqlalchemy import Connection, column, inspect, select, table

from lms_assets.domain.counting.comparison import OldCounts, OldData
from lms_assets.warehouse.errors import WarehouseError
from lms_assets.warehouse.reading.foundation import partner_names
from lms_assets.warehouse.results.counts import CATEGORY_COLUMNS, counted_by_others

_IDENTITY = ("impartner_id", "salesforce_id")


def kept_old_counts(connection: Connection) -> OldData | None:
    """What an adopted portal's partners had before our first counting; None when there was nothing.

    A category of which no partner had any is left out: its column came with our migration, or nobody ever counted it.
    """
    kept = counted_by_others(connection)
    if kept is None:
        return None
    rows, at = kept
    names = partner_names(connection, active_only=False)
    counted = tuple(each for each in CATEGORY_COLUMNS if any(row[each] for row in rows.values()))
    accounts = [
        OldCounts(names.get(key, f"partner {key}"), row["total_npcu"], {each: row[each] for each in counted}, key)
        for key, row in rows.items()
    ]
    return OldData(tuple(accounts), counted, at)


def read_old_counts(connection: Connection, database: str) -> OldData:
    """The active partners of another portal's database, whatever else its tables have. Reads only.

    Raises:
        WarehouseError: it has no table `partners` with `account_name` and `total_npcu`; `database` names it.
    """
    inspector = inspect(connection)
    there = {each["name"] for each in inspector.get_columns("partners")} if inspector.has_table("partners") else set()
    if not {"account_name", "total_npcu"} <= there:
        problem = "has no table partners with account_name and total_npcu"
        raise WarehouseError(database, problem, "give the database in which the old system keeps its counts")
    found = {category: name for category, name in CATEGORY_COLUMNS.items() if name in there}
    names = ["account_name", "total_npcu", *(name for name in _IDENTITY if name in there), *found.values()]
    old = table("partners", *map(column, (*names, "is_active", "cert_counts_updated_at")))
    query = select(*(old.c[name] for name in names)).order_by(old.c.account_name)
    if "is_active" in there:
        query = query.where(old.c.is_active == 1)
    accounts = []
    for row in connection.execute(query):
        values = row._mapping
        by_category = {category: values[name] or 0 for category, name in found.items()}
        ids = {name: values[name] for name in _IDENTITY if name in there}
        accounts.append(OldCounts(values["account_name"], values["total_npcu"] or 0, by_category, **ids))
    return OldData(tuple(accounts), tuple(found))
