"""The Impartner client: which call gives which records.

How calls travel lives in `transport.client`, answers' shapes in `responses`, the write in `writes`.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from lms_assets.vendors.endpoints import Endpoint
from lms_assets.vendors.endpoints import Impartner as Endpoints
from lms_assets.vendors.impartner import responses as answers
from lms_assets.vendors.impartner.filters import Condition, field_name, one_of_in_parts
from lms_assets.vendors.impartner.responses import Fields
from lms_assets.vendors.impartner.writes import PatchResult, Same, patch
from lms_assets.vendors.listing import Listing, Page, Record
from lms_assets.vendors.transport.client import HttpLimits, Request, VendorHttp, checked_key
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.vendors.transport.origin import Origin
from lms_assets.vendors.transport.parallel import Ahead, for_each, workers_for
from lms_assets.vendors.transport.rate_limit import RequestLogOf, shared_limiter

K = TypeVar("K")
T = TypeVar("T")

VENDOR = "Impartner"
OBJECTS_READ = ("Account", "User", "Lead", "Region", "LeadStatus")


class ImpartnerClient:
    """One key and tenant at one Impartner address; safe for use by many threads.

    Records are dicts keyed by the Pascal-case names asked for and `Id`, whatever case the vendor answers in;
    what is missing there is None. Every method raises VendorError; the constructor raises ValueError for a base
    URL, key or tenant that cannot be used. `log_of` gives what those who use the key share to keep its rate.
    `http.calls`, `http.retries` and `http.throttled` count.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        tenant_id: str,
        requests_per_second: float = 10,
        *,
        log_of: RequestLogOf | None = None,
        workers: int | None = None,
        limits: HttpLimits | None = None,
    ) -> None:
        key = checked_key(api_key, VENDOR)
        if not tenant_id.isascii() or not tenant_id.isalnum():
            raise ValueError("the tenant id of Impartner must be letters and digits")
        self.workers = workers or workers_for(requests_per_second)
        self._limits = limits or HttpLimits()
        self.http = VendorHttp(
            VENDOR,
            base_url,
            {"Authorization": f"prm-key {key}", "X-PRM-TenantId": tenant_id},
            limiter=shared_limiter(Origin.of(base_url).base, key, requests_per_second, log_of=log_of),
            limits=self._limits,
            secret=key,
            workers=self.workers,
        )

    def __repr__(self) -> str:
        return f"ImpartnerClient({self.http.origin.base})"

    def __enter__(self) -> ImpartnerClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self.http.close()

    def probe(self) -> None:
        """The cheapest call that proves address, key and tenant; it gives up within seconds."""
        endpoint = Endpoints.LIST.of("Account")
        request = self._request(endpoint, {"fields": "Id", "skip": "0", "take": "1"})
        self.http.call(endpoint, request, answers.rows_and_count, retry=self._limits.retry.brief())

    def rights(self) -> Iterator[tuple[str, VendorError | None]]:
        """Each object that the product reads, asked for one row: the call, and why it was refused (None: it was not).

        Gives up within seconds.
        """
        for name in OBJECTS_READ:
            endpoint = Endpoints.LIST.of(name)
            request = self._request(endpoint, {"fields": "Id", "skip": "0", "take": "1"})
            try:
                self.http.call(endpoint, request, answers.rows_and_count, retry=self._limits.retry.brief())
            except VendorError as error:
                yield endpoint.label, error
            else:
                yield endpoint.label, None

    def list(
        self,
        object_name: str,
        fields: Sequence[str],
        filter: Condition | str | None = None,
        *,
        passes_filter: Callable[[Record], bool] | None = None,
    ) -> Listing:
        """Every record of an object that passes the filter, by ascending Id.

        A filter given as text is sent as it is: build one from values with `impartner_filter`. `passes_filter`
        says the same about one record, so that the listing's `filter_ignored` shows a filter without effect.

        Args:
            fields: names to ask for; a record has these and no others.
        """
        params = {"fields": _field_list(fields), "orderby": "Id"}
        if filter is not None:
            params["filter"] = str(filter)
        endpoint = Endpoints.LIST.of(field_name(object_name))
        source = self._pages(endpoint, params, answers.with_fields(fields))
        return Listing(
            VENDOR, endpoint.label, source, identity=answers.identity_of, ascending=True, passes_filter=passes_filter
        )

    def by_ids(self, object_name: str, ids: Iterable[int], fields: Sequence[str]) -> dict[int, Record]:
        """The records with these ids, by id: an id that the result lacks does not exist at the vendor.

        Raises UnexpectedAnswer when the answer does not prove that: rows nobody asked for, a row without an id,
        or fewer rows than the vendor counts.

        Args:
            fields: names to ask for; a record has these and no others.
        """
        found: dict[int, Record] = {}
        unique = dict.fromkeys(ids)
        endpoint = Endpoints.BY_IDS.of(field_name(object_name))
        asked_for = answers.records_asked_for(unique, fields)

        def ask(condition: Condition) -> dict[int, Record]:
            params = {"fields": _field_list(fields), "orderby": "Id", "filter": str(condition), "skip": "0"}
            params["take"] = str(Endpoints.BY_IDS.page_size)
            return self.http.call(endpoint, self._request(endpoint, params), asked_for)

        for _, records in self.for_each(one_of_in_parts("Id", unique, Endpoints.BY_IDS.page_size), ask):
            if isinstance(records, VendorError):
                raise records
            found.update(records)
        return {number: found[number] for number in unique if number in found}

    def deleted_ids(self, object_name: str, since: datetime, until: datetime) -> set[int]:
        """Ids of the records deleted between two aware moments."""
        params = {"fromUtc": _moment(since), "toUtc": _moment(until)}
        endpoint = Endpoints.DELETED.of(field_name(object_name))
        return self.http.call(endpoint, self._request(endpoint, params), answers.deleted_ids)

    def describe(self, object_name: str) -> Fields:
        """The fields of an object and whether each may be written."""
        endpoint = Endpoints.DESCRIBE.of(field_name(object_name))
        return self.http.call(endpoint, self._request(endpoint), answers.described_fields)

    def patch_accounts(self, rows: Sequence[Mapping[str, Any]], *, same: Same) -> builtins.list[PatchResult]:
        """Change at most 50 accounts, each row with `Id` and the fields to change: see `impartner_patch.patch`."""
        return patch(
            self.http,
            Endpoints.PATCH.of("Account"),
            rows,
            read_back=lambda ids, fields: self.by_ids("Account", ids, fields),
            same=same,
            retry=self._limits.retry,
        )

    def for_each(self, ids: Iterable[K], fetch: Callable[[K], T]) -> Generator[tuple[K, T | VendorError], None, None]:
        """(id, result or VendorError) as they come, at most `workers` under way: see `parallel.for_each`."""
        return for_each(ids, fetch, workers=self.workers, give_up_after=3 * self.workers)

    def _pages(self, endpoint: Endpoint, params: dict[str, str], convert: Callable[[Record], Record]) -> Iterator[Page]:
        """The pages in order. Once the first one says how many rows there are, several are asked for ahead, and an
        answer counts only when the rows before it end exactly where it begins.
        """

        def page_from(skip: int) -> tuple[builtins.list[Record], int | None]:
            request = self._request(endpoint, {**params, "skip": str(skip), "take": str(endpoint.page_size)})
            return self.http.call(endpoint, request, answers.page_of(endpoint.page_size))

        skip, step = 0, 0
        ahead = Ahead(page_from)
        while True:
            rows, count = ahead.take(skip)
            # What came counts, not what was asked for: a short page must not leave a gap behind it.
            skip += len(rows)
            step = step or len(rows)
            more = bool(rows) and (skip < count if count is not None else len(rows) == endpoint.page_size)
            following = range(skip, count, step)[: self.http.in_flight] if more and count is not None else ()
            if skip > step:
                ahead.ask(following)
            reasons = () if count is not None else ("the vendor did not say how many rows there are",)
            yield Page([convert(row) for row in rows], more=more, count=count, reasons=reasons)
            if not more:
                return
            ahead.ask(following)

    def _request(self, endpoint: Endpoint, params: Mapping[str, str] | None = None) -> Request:
        return Request(url=self.http.origin.address(endpoint.path), params=params)


def _field_list(fields: Sequence[str]) -> str:
    names = dict.fromkeys(("Id", *(field_name(name) for name in fields if name.lower() != "id")))
    return ",".join(names)


def _moment(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a datetime needs a time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
