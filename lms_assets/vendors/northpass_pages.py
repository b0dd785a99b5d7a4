"""Northpass's pages: following `links.next`, and the shape of an answer (Northpass API, transport)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from lms_assets.vendors.answers import ShapeError, refuse_more_than_asked_for
from lms_assets.vendors.endpoints import Endpoint, On404
from lms_assets.vendors.errors import RecordNotFound, UnexpectedAnswer
from lms_assets.vendors.http import Request, VendorHttp
from lms_assets.vendors.listing import Page, Record


def pages(
    http: VendorHttp, endpoint: Endpoint, address: Callable[[], str], filters: Mapping[str, str]
) -> Iterator[Page]:
    """The pages of a list, until one has no next link.

    A last page that is full is not believed: the page after it is asked for, since a list that is cut off
    between two pages looks exactly like that. A 404 on a later page is not a clean end.
    """
    number, link = 1, ""
    asked: set[str] = set()
    while True:
        first = _request(endpoint, address(), filters, number)
        try:
            records, following = http.call(endpoint, Request(url=link) if link else first, _page_of(endpoint))
        except RecordNotFound:
            if number == 1 and endpoint.on_404 is not On404.EMPTY:
                raise
            reasons = () if number == 1 else (f"page {number} was announced and answered 404",)
            yield Page([], more=False, reasons=reasons, not_found=number == 1)
            return
        _refuse_loop(http.vendor, endpoint, following, asked)
        beyond = [] if following or len(records) < endpoint.page_size else _beyond(http, endpoint, first, number)
        yield Page(
            records, more=bool(following or beyond), reasons=("the list went on after its end",) if beyond else ()
        )
        if not following and not beyond:
            return
        number, link = number + 1, following


def _beyond(http: VendorHttp, endpoint: Endpoint, request: Request, number: int) -> list[Record]:
    """The rows of the page after a full last one: [] when the list really ended."""
    params = {**(request.params or {}), "page": str(number + 1)}
    try:
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
