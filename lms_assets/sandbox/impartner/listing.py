"""Impartner listings: filter, order, skip and take, and the faults that hit paging."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from lms_assets.sandbox.calls.exchange import Call, Refused, Reply, encoded
from lms_assets.sandbox.faults.effects import hides_count, listed_rows, window
from lms_assets.sandbox.impartner.fields import CrmObject, Field, shower
from lms_assets.sandbox.impartner.filter_grammar import FilterError, compiled
from lms_assets.sandbox.sandbox import Sandbox

DEFAULT_TAKE = 25
MOST_ROWS = 100
# Rows filtered between two turns of the event loop: a request that waits would be stamped too late by the limit.
_ROWS_A_TURN = 2000


async def list_of(sandbox: Sandbox, call: Call, entry: CrmObject) -> Reply:
    """`GET /{Object}`: count, entity and the rows of this page with only the fields asked for (and the id)."""
    skip, take = _whole(call, "skip", 0), min(_whole(call, "take", DEFAULT_TAKE), MOST_ROWS)
    fields = _fields(call, entry)
    everything = await _ordered(sandbox, call, entry)
    rows = listed_rows(call, everything)
    if not rows and "empty_is_404" in call.faults:
        raise Refused(404, "Not Found", "no records found")
    start, rows = window(call, rows, skip, take)
    show = shower(fields, sandbox.config)
    data = {
        "count": len(everything) if hides_count(call) else len(rows),
        "entity": entry.name,
        "results": [show(row) for row in rows[start : start + take]],
    }
    return Reply(200, encoded({"success": True, "data": data}))


async def _ordered(sandbox: Sandbox, call: Call, entry: CrmObject) -> list[Any]:
    """The rows that pass the filter in the order asked for; without one, in an order that differs by call."""
    orders = _orders(call, entry)
    text = "" if "ignored_filter" in call.faults else (call.value("filter") or "").strip()
    key = (entry.name, text, tuple(orders))
    rows: list[Any] | None = sandbox.recall(key, (entry.collection,))
    if rows is None:
        revisions = sandbox.revisions((entry.collection,))
        rows = await _passing(list(entry.rows(sandbox.vendor_state).values()), text, entry)
        for field, descending in reversed(orders):
            rows.sort(key=partial(_sortable, field.attribute), reverse=descending)
        sandbox.keep(key, revisions, rows)
    if orders or not rows:
        return rows
    turn = sandbox.next_turn() * 37 % len(rows)
    return rows[turn:] + rows[:turn]


async def _passing(rows: list[Any], text: str, entry: CrmObject) -> list[Any]:
    if not text:
        return rows
    try:
        test = compiled(text, entry)
    except FilterError as error:
        raise Refused(400, "Invalid filter", str(error)) from error
    found: list[Any] = []
    for start in range(0, len(rows), _ROWS_A_TURN):
        found += [row for row in rows[start : start + _ROWS_A_TURN] if test(row)]
        await asyncio.sleep(0)
    return found


def _orders(call: Call, entry: CrmObject) -> list[tuple[Field, bool]]:
    orders = []
    for part in filter(None, (call.value("orderby") or "").split(",")):
        name, _, direction = part.strip().partition(" ")
        if direction.strip().lower() not in ("", "asc", "desc"):
            raise Refused(400, "Invalid order", f"{part.strip()!r}: after the field say asc or desc")
        orders.append((_field(entry, name), direction.strip().lower() == "desc"))
    return orders


def _fields(call: Call, entry: CrmObject) -> list[Field]:
    asked = [name.strip() for name in (call.value("fields") or "").split(",") if name.strip()]
    fields = [_field(entry, name) for name in asked]
    identity = entry.fields["id"]
    return fields if identity in fields else [identity, *fields]


def _field(entry: CrmObject, name: str) -> Field:
    field = entry.fields.get(name.lower())
    if field is None:
        raise Refused(400, "Invalid field", f"{entry.name} has no field {name}")
    return field


def _whole(call: Call, name: str, default: int) -> int:
    text = call.value(name)
    if text is None:
        return default
    if not text.isdigit():
        raise Refused(400, "Invalid parameter", f"{name} must be a whole number")
    return int(text)


def _sortable(attribute: str, row: Any) -> tuple[bool, Any]:
    value = getattr(row, attribute)
    return (value is not None, value if not isinstance(value, str) else value.casefold())
