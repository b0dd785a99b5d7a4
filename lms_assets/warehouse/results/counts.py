"""Writing what was counted for each partner: certifications and points, their history, and leads (`leads`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, func, select

from lms_assets.domain.counting.certifications import PartnerCounts
from lms_assets.domain.records.leads import status_name_of
from lms_assets.domain.safety.withheld import WithheldReason
from lms_assets.warehouse.schema.tables import leads, partner_cert_history, partners
from lms_assets.warehouse.sync_state import COUNTED, get_state, put_state
from lms_assets.warehouse.upsert.upsert import SyncCounts, delete_rows, update_existing, upsert

CATEGORY_COLUMNS: Mapping[str, str] = {
    "nintex_ce": "cert_count_nintex_ce",
    "nintex_k2": "cert_count_nintex_k2",
    "nintex_salesforce": "cert_count_nintex_salesforce",
    "go_to_market": "cert_count_go_to_market",
}
"""Category to its column in `partners` and `partner_cert_history`; other categories are in `total_npcu` only."""

_COUNTED_WITHOUT_ALL = "partners_counted_before_all_was_read"
_RECOUNT = "partner_cert_counts_recounted"
_COUNTED_BY_OTHERS = "partner_cert_counts_before_ours"


@dataclass(frozen=True, slots=True)
class Counted:
    """When partners were last counted: as of which instant, and when what the counts rest on was read."""

    as_of: datetime
    counted_at: datetime


def write_counts(
    connection: Connection,
    counts: Iterable[PartnerCounts],
    *,
    as_of: datetime,
    now: datetime,
    counted_at: datetime | None = None,
) -> SyncCounts:
    """Make the counts in `partners` equal to these; every partner that is not among them gets zeros.

    `cert_counts_updated_at` says when a partner's counts last changed; when all were last counted, and as of which
    instant, is what last_counted gives.

    Args:
        counted_at: when what the counts rest on was read; `now` when left out.
    """
    by_partner = {each.partner_id: each for each in counts}
    changed: list[dict[str, Any]] = []
    unchanged = 0
    before = stored_counts(connection)
    if last_counted(connection) is None:
        _keep_what_others_counted(connection, before, now)
    for partner_id, stored in before.items():
        wanted = count_columns(by_partner.get(partner_id))
        if wanted == stored:
            unchanged += 1
        else:
            changed.append({"id": partner_id, **wanted, "cert_counts_updated_at": now})
    written = update_existing(connection, partners, changed, key=("id",), now=now)
    put_state(connection, COUNTED, {"as_of": as_of.isoformat(), "counted_at": (counted_at or now).isoformat()}, now=now)
    return written + SyncCounts(unchanged=unchanged)


def _keep_what_others_counted(connection: Connection, before: Mapping[int, Mapping[str, Any]], now: datetime) -> None:
    """Keep an adopted portal's counts, which the first counting replaces, for `lms-assets compare`."""
    names = (*CATEGORY_COLUMNS.values(), "total_npcu")
    stamps = {row[0]: row[1] for row in connection.execute(select(partners.c.id, partners.c.cert_counts_updated_at))}
    every = {key: [row[name] or 0 for name in names] for key, row in before.items()}
    # Zeros without a time are those of a row that the chain has only just made.
    rows = {str(key): row for key, row in every.items() if any(row) or stamps[key]}
    if rows:
        made = max((each for each in stamps.values() if each), default=None)
        value = {"at": made.isoformat() if made else None, "partners": rows}
        put_state(connection, _COUNTED_BY_OTHERS, value, now=now)


def counted_by_others(connection: Connection) -> tuple[dict[int, dict[str, int]], datetime | None] | None:
    """What an adopted portal's partners had before our first counting: id to counts, by category and `total_npcu`.

    And when those were last changed (UTC; None: unknown). None when there was nothing.
    """
    state = get_state(connection, _COUNTED_BY_OTHERS)
    if state is None:
        return None
    names = (*CATEGORY_COLUMNS, "total_npcu")
    counts = {int(key): dict(zip(names, row, strict=True)) for key, row in state["partners"].items()}
    return counts, datetime.fromisoformat(state["at"]) if state["at"] else None


def stored_counts(connection: Connection) -> dict[int, dict[str, Any]]:
    """The count columns of every partner, by id, as stored."""
    names = (*CATEGORY_COLUMNS.values(), "total_npcu", "has_gtm_certification")
    query = select(partners.c.id, *(partners.c[name] for name in names))
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in connection.execute(query)}


def last_counted(connection: Connection) -> Counted | None:
    """When partners were last counted; None when never."""
    state = get_state(connection, COUNTED)
    if state is None:
        return None
    return Counted(datetime.fromisoformat(state["as_of"]), datetime.fromisoformat(state["counted_at"]))


def note_counted_without_all(connection: Connection, partner_ids: Iterable[int], *, now: datetime) -> None:
    """Note which partners' counts were made before everything they rest on was read; replaces the earlier note."""
    put_state(connection, _COUNTED_WITHOUT_ALL, sorted(partner_ids), now=now)


def counted_without_all(connection: Connection) -> frozenset[int]:
    """Partners whose stored counts were made before everything they rest on was read."""
    return frozenset(get_state(connection, _COUNTED_WITHOUT_ALL) or ())


def note_recount(connection: Connection, found: Mapping[int, WithheldReason], *, run_id: str, now: datetime) -> None:
    """Note that the stored counts were recounted in this run, and which partners differ; replaces the earlier note."""
    partners_found = {str(key): [each.kind, each.text] for key, each in found.items()}
    value = {"counting": get_state(connection, COUNTED), "run_id": run_id, "partners": partners_found}
    put_state(connection, _RECOUNT, value, now=now)


def was_recounted(connection: Connection, run_id: str) -> bool:
    """Whether the stored counts were recounted in this run."""
    return _recount_of_these_counts(connection).get("run_id") == run_id


def differing_from_recount(connection: Connection) -> dict[int, WithheldReason]:
    """Partners whose stored counts a recount did not agree with, and why; without a recount of these counts none."""
    noted = _recount_of_these_counts(connection).get("partners", {})
    return {int(key): WithheldReason(*reason) for key, reason in noted.items()}


def _recount_of_these_counts(connection: Connection) -> dict[str, Any]:
    note = get_state(connection, _RECOUNT)
    return note if note and note["counting"] == get_state(connection, COUNTED) else {}


def write_history(
    connection: Connection,
    day: date,
    counts: Iterable[PartnerCounts],
    *,
    as_of: datetime,
    now: datetime,
    people: Mapping[int, int] | None = None,
    tiers: Mapping[int, str | None] | None = None,
) -> SyncCounts:
    """Store one day's counts, one row a partner; a later chain of the same day replaces them.

    Args:
        people: partner id to its number of partner users.
        tiers: partner id to its tier on that day.
    """
    rows = [
        {
            "partner_id": each.partner_id,
            "day": day,
            **count_columns(each),
            "partner_users": (people or {}).get(each.partner_id),
            "partner_tier": (tiers or {}).get(each.partner_id),
            "origin": "chain",
            "as_of": as_of,
        }
        for each in counts
    ]
    return upsert(connection, partner_cert_history, rows, key=("partner_id", "day"), now=now)


def write_lead_counts(connection: Connection, *, now: datetime) -> SyncCounts:
    """Count each partner's leads, and those created in the 30 days before `now`, from the `leads` table."""
    recent = leads.c.lead_created_at >= now - timedelta(days=30)
    query = select(leads.c.partner_id, func.count(), func.sum(case((recent, 1), else_=0))).where(
        leads.c.partner_id.is_not(None), (leads.c.lead_created_at <= now) | leads.c.lead_created_at.is_(None)
    )
    found = {row[0]: (row[1], int(row[2])) for row in connection.execute(query.group_by(leads.c.partner_id))}
    columns = partners.c.id, partners.c.lead_count, partners.c.leads_last_30_days
    changed = []
    unchanged = 0
    for partner_id, total, last_days in connection.execute(select(*columns)).all():
        wanted = found.get(partner_id, (0, 0))
        if wanted == (total, last_days):
            unchanged += 1
            continue
        changed.append(
            {"id": partner_id, "lead_count": wanted[0], "leads_last_30_days": wanted[1], "leads_updated_at": now}
        )
    return update_existing(connection, partners, changed, key=("id",), now=now) + SyncCounts(unchanged=unchanged)


def count_columns(counts: PartnerCounts | None) -> dict[str, Any]:
    """A partner's counts under the names of their columns; None: nothing."""
    by_category = counts.by_category if counts else {}
    return {
        **{column: by_category.get(category, 0) for category, column in CATEGORY_COLUMNS.items()},
        "total_npcu": counts.total_npcu if counts else 0,
        "has_gtm_certification": bool(counts and counts.has_gtm_certification),
    }


def stored_lead_ids(connection: Connection) -> dict[int, int]:
    """Impartner id of every stored lead to its row's id."""
    return {row[0]: row[1] for row in connection.execute(select(leads.c.impartner_id, leads.c.id))}


def link_leads(connection: Connection, *, now: datetime) -> SyncCounts:
    """Point every lead to the row of its partner account, to none where the account is no partner.

    Of several rows of one account the active one counts, then the older.
    """
    c = partners.c
    query = select(c.impartner_id, c.id).where(c.impartner_id.is_not(None)).order_by(c.is_active, c.id.desc())
    row_of = {row.impartner_id: row.id for row in connection.execute(query)}
    moved = []
    for lead_id, account, partner_id in connection.execute(
        select(leads.c.id, leads.c.impartner_partner_id, leads.c.partner_id)
    ).all():
        wanted = row_of.get(account) if account is not None else None
        if wanted != partner_id:
            moved.append({"id": lead_id, "partner_id": wanted})
    return update_existing(connection, leads, moved, key=("id",), now=now)


def rename_statuses(connection: Connection, names: Mapping[int, str], *, now: datetime) -> SyncCounts:
    """Give every stored lead its status's name as it is now; a status that is not among `names` keeps its name."""
    query = select(leads.c.id, leads.c.status_id, leads.c.status_name).where(leads.c.status_id.in_(list(names)))
    renamed = [
        {"id": row.id, "status_name": status_name_of(names[row.status_id])}
        for row in connection.execute(query).all()
        if row.status_name != status_name_of(names[row.status_id])
    ]
    return update_existing(connection, leads, renamed, key=("id",), now=now)


def remove_leads(connection: Connection, impartner_ids: Iterable[int]) -> int:
    """Delete the rows of these leads, gone or over in the CRM; gives how many there were."""
    rows = stored_lead_ids(connection)
    return delete_rows(connection, leads, [rows[each] for each in impartner_ids if each in rows])


def leads_of_unknown_partners(connection: Connection) -> int:
    """How many leads name an account that is no partner of ours."""
    query = select(func.count()).where(leads.c.impartner_partner_id.is_not(None), leads.c.partner_id.is_(None))
    return int(connection.execute(query).scalar_one())
