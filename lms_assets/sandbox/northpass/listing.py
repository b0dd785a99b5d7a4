"""Northpass listings: filter, page, absolute `links.next`, and the faults that hit paging."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from lms_assets.sandbox.calls.exchange import Call, Refused, Reply, encoded
from lms_assets.sandbox.faults.effects import listed_rows, window
from lms_assets.sandbox.northpass.filters import filters_of, matcher
from lms_assets.sandbox.northpass.resources import Attributes
from lms_assets.sandbox.sandbox import Sandbox

DEFAULT_LIMIT = 25
MOST_ROWS = 100
# Rows filtered between two turns of the event loop: a request that waits would be stamped too late by the limit.
_ROWS_A_TURN = 1000


@dataclass(frozen=True, slots=True)
class Listing:
    """A list to page through.

    * `key`: what it is a list of; with `collections` (of the vendor state) it identifies what may be kept.
    * `rows`, `attributes`, `resource`: the rows, what they can be filtered by, and how one of them is shown.
    """

    key: tuple[str, ...]
    collections: tuple[str, ...]
    rows: Callable[[], list[Any]]
    attributes: Attributes
    resource: Callable[[Any], dict[str, Any]]
    most_rows: int = MOST_ROWS
    empty_is_404: bool = False


async def page_of(sandbox: Sandbox, call: Call, listing: Listing) -> Reply:
    """The page that `call` asks for; 404 for an empty list where the vendor does so."""
    number = _positive(call, "page", 1)
    limit = min(_positive(call, "limit", min(DEFAULT_LIMIT, listing.most_rows)), listing.most_rows)
    rows = listed_rows(call, await _filtered(sandbox, call, listing))
    empty_is_404 = "empty_is_404" in call.faults or (listing.empty_is_404 and "empty_is_list" not in call.faults)
    if not rows and empty_is_404:
        raise Refused(404, "Not Found", "nothing found")
    start, rows = window(call, rows, (number - 1) * limit, limit)
    shown = rows[start : start + limit]
    links = {"self": _page_url(call, number, limit)}
    if start + limit < len(rows):
        links["next"] = _page_url(call, number + 1, limit)
    if "endless_next" in call.faults:
        links["next"] = _page_url(call, number, limit)
    if "off_host_next" in call.faults:
        host = call.faults["off_host_next"].get("host", "other.example.org")
        links["next"] = f"http://{host}/v2{call.path}?page={number + 1}&limit={limit}"
    return Reply(200, _assembled(sandbox, listing, shown, links))


async def _filtered(sandbox: Sandbox, call: Call, listing: Listing) -> list[Any]:
    filters = filters_of(call.query, listing.attributes)
    rows: list[Any] = sandbox.kept(listing.key, listing.collections, listing.rows)
    if not filters or "ignored_filter" in call.faults:
        return rows
    key = (*listing.key, filters)
    found = sandbox.recall(key, listing.collections)
    if found is None:
        revisions = sandbox.revisions(listing.collections)
        passes = matcher(filters, listing.attributes)
        found = []
        for start in range(0, len(rows), _ROWS_A_TURN):
            found += [row for row in rows[start : start + _ROWS_A_TURN] if passes(row)]
            await asyncio.sleep(0)
        sandbox.keep(key, revisions, found)
    return list(found)


def _assembled(sandbox: Sandbox, listing: Listing, rows: list[Any], links: dict[str, str]) -> bytes:
    """The page's JSON from parts encoded once and kept until the collection changes."""
    known: dict[str, bytes] = sandbox.kept(("encoded", listing.key[0]), listing.collections, dict)
    parts = []
    for row in rows:
        part = known.get(row.id)
        if part is None:
            part = known[row.id] = encoded(listing.resource(row))
        parts.append(part)
    return b'{"data":[' + b",".join(parts) + b'],"links":' + encoded(links) + b"}"


def _positive(call: Call, name: str, default: int) -> int:
    text = call.value(name)
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise Refused(422, "Invalid parameter", f"{name} must be a whole number from 1", name)
    return int(text)


def _page_url(call: Call, number: int, limit: int) -> str:
    others = [(name, value) for name, value in call.query if name not in ("page", "limit")]
    return f"{call.base_url}{call.path}?" + urlencode([*others, ("page", number), ("limit", limit)])
