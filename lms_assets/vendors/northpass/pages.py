"""Northpass's pages: following `links.next`, and the shape of an answer (Northpass API, transport)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from lms_assets.vendors.endpoints import Endpoint, On404
from lms_assets.vendors.endpoints import Northpass as Endpoints
from lms_assets.vendors.listing import Page, Record
from lms_assets.vendors.transport.client import Request, VendorHttp
from lms_assets.vendors.transport.errors import RecordNotFound, UnexpectedAnswer
from lms_assets.vendors.transport.parallel import Ahead
from lms_assets.vendors.transport.responses import ShapeError, refuse_more_than_asked_for

_Ahead = Ahead[str, tuple[list[Record], str]]
"""Pages by address: rows, and the link to the next page."""


def pages(
    http: VendorHttp, endpoint: Endpoint, address: Callable[[], str], filters: Mapping[str, str]
) -> Iterator[Page]:
    """The pages of a list, in order, until one has no next link.

    Page 1 comes alone. Later pages are asked for ahead, under the address that the links show, and an answer counts
    only when the page before it links to exactly that address. A row that comes or goes meanwhile shifts the pages
    asked for after it: a gap between two of them then always comes with a row that came twice before it, since page 1
    was answered first, so `Listing` sees the drift as it does with one page at a time.

    A last page that is full is not believed: the page after it is asked for, since a list that is cut off
    between two pages looks exactly like that. A 404 on a later page is not a clean end.

    Args:
        filters: query parameters of the list.
    """
    number, link = 1, ""
    asked: set[str] = set()
    ahead = _Ahead(lambda url: http.call(endpoint, Request(url=url), _page_of(endpoint)))
    while True:
        first = _request(endpoint, address(), filters, number)
        try:
            records, following = ahead.take(link) if link else http.call(endpoint, first, _page_of(endpoint))
        except RecordNotFound:
            if number == 1 and endpoint.on_404 is not On404.EMPTY:
                raise
            reasons = () if number == 1 else (f"page {number} was announced and answered 404",)
            yield Page([], more=False, reasons=reasons, not_found=number == 1)
            return
        _refuse_loop(http.vendor, endpoint, following, asked)
        if number > 1:
            ahead.ask(_addresses_ahead(following, number, http.in_flight))
        beyond = [] if following or len(records) < endpoint.page_size else _beyond(http, endpoint, first, ahead, link)
        yield Page(
            records, more=bool(following or beyond), reasons=("the list went on after its end",) if beyond else ()
        )
        if not following and not beyond:
            return
        ahead.ask(_addresses_ahead(following, number, http.in_flight))
        number, link = number + 1, following


def _addresses_ahead(link: str, number: int, most: int) -> list[str]:
    """Where the pages after page `number` are by its link: one after the first page, then twice as many each time."""
    last = number + min(most, 2 ** min(number - 1, 10))
    places = (with_page(link, number + 1, page) for page in range(number + 1, last + 1))
    return [place for place in places if place is not None]


def with_page(link: str, number: int, wanted: int) -> str | None:
    """A link to page `number`, changed to lead to page `wanted`; None when it does not show its page's number."""
    changed, found = re.subn(rf"([?&]page=){number}(?=&|$)", rf"\g<1>{wanted}", link)
    return changed if found == 1 else None


def _beyond(http: VendorHttp, endpoint: Endpoint, request: Request, ahead: _Ahead, link: str) -> list[Record]:
    """The rows of the page after a full last one: [] when the list really ended."""
    number = int((request.params or {})["page"])
    following = with_page(link, number, number + 1)
    try:
        if following is not None and following in ahead:
            return ahead.take(following)[0]
        params = {**(request.params or {}), "page": str(number + 1)}
        return http.call(endpoint, Request(url=request.url, params=params), _page_of(endpoint))[0]
    except RecordNotFound:
        return []


def _page_of(endpoint: Endpoint) -> Callable[[Any], tuple[list[Record], str]]:
    def parse(body: Any) -> tuple[list[Record], str]:
        rows, following = rows_and_link(body)
        refuse_more_than_asked_for(rows, endpoint.page_size)
        return rows, following

    return parse


def _request(endpoint: Endpoint, url: str, filters: Mapping[str, str], number: int) -> Request:
    return Request(url=url, params={**filters, "page": str(number), "limit": str(endpoint.page_size)})


def _refuse_loop(vendor: str, endpoint: Endpoint, link: str, asked: set[str]) -> None:
    if link and link in asked:
        remedy = "Try again later; if it stays, ask the vendor how this list ends"
        raise UnexpectedAnswer(vendor, endpoint.label, None, "a next link leads back to an earlier page", remedy)
    asked.add(link)


def rows_and_link(body: Any) -> tuple[list[Record], str]:
    """The resources of a list answer and the link to the next page, "" on the last. Raises ShapeError."""
    if not isinstance(body, dict):
        raise ShapeError("the answer is not an object")
    rows = body.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ShapeError("`data` is missing or is not a list of objects")
    links = body.get("links")
    if links is not None and not isinstance(links, dict):
        raise ShapeError("`links` is not an object")
    following = (links or {}).get("next")
    if following is not None and not isinstance(following, str):
        raise ShapeError("`links.next` is not text")
    return rows, following or ""


def one_resource(body: Any) -> Record:
    """The resource of an answer about one record. Raises ShapeError."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict) or identity_of(data) is None:
        raise ShapeError("`data` is missing or is not an object with an id")
    return data


def identity_of(record: Record) -> str | None:
    """The resource's id as text; None when it has none that can be read."""
    value = record.get("id")
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def changed_since(record: Record, attribute: str, since: datetime) -> bool:
    """False when the record's attribute holds a moment before `since`; what cannot be read passes."""
    attributes = record.get("attributes")
    value = attributes.get(attribute) if isinstance(attributes, dict) else None
    if not isinstance(value, str):
        return True
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return True
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) >= since


class Removal(StrEnum):
    """What became of one person's membership."""

    REMOVED = "removed"
    ABSENT = "absent"
    """The vendor answered 404 for this person alone: not a member, or no such person."""
    GROUP_GONE = "group_gone"


@dataclass(frozen=True, slots=True)
class RemovalResult:
    """One person's part of the answer."""

    person_id: str
    outcome: Removal


def remove_members(
    http: VendorHttp, group_id: str, person_ids: Sequence[str], *, group_exists: Callable[[], bool]
) -> list[RemovalResult]:
    """Results in the order asked for. Raises VendorError when the vendor refuses or cannot be reached.

    A 404 does not say whether the group or one of the people is missing, so the group is asked for, and then
    the people are taken one by one. ValueError for more than 50 people (Northpass API, endpoints).

    Args:
        person_ids: LMS ids, 50 at most.
        group_exists: asked after a 404, which a group that is gone gives too.
    """
    if len(person_ids) > Endpoints.MEMBERS_PER_REMOVAL:
        raise ValueError(f"at most {Endpoints.MEMBERS_PER_REMOVAL} people a call")
    if not person_ids:
        return []
    try:
        _send(http, group_id, person_ids)
    except RecordNotFound:
        if not group_exists():
            return [RemovalResult(person_id, Removal.GROUP_GONE) for person_id in person_ids]
        if len(person_ids) == 1:
            return [RemovalResult(person_ids[0], Removal.ABSENT)]
        return [_remove_one(http, group_id, person_id) for person_id in person_ids]
    return [RemovalResult(person_id, Removal.REMOVED) for person_id in person_ids]


def _remove_one(http: VendorHttp, group_id: str, person_id: str) -> RemovalResult:
    try:
        _send(http, group_id, [person_id])
    except RecordNotFound:
        return RemovalResult(person_id, Removal.ABSENT)
    return RemovalResult(person_id, Removal.REMOVED)


def _send(http: VendorHttp, group_id: str, person_ids: Sequence[str]) -> None:
    url = http.origin.address(Endpoints.REMOVE_MEMBERS.path, id=group_id)
    body = {"data": [{"type": "people", "id": person_id} for person_id in person_ids]}
    http.call(Endpoints.REMOVE_MEMBERS, Request(url=url, body=body), _no_errors)


def _no_errors(body: Any) -> None:
    if isinstance(body, dict) and body.get("errors"):
        raise ShapeError("the status says that it was carried out, and the body lists errors")
