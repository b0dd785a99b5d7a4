"""The Northpass client: which call gives which records.

How calls travel lives in `transport.client`, paging and answers' shapes in `pages`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar, overload

from lms_assets.vendors.endpoints import Endpoint, On404
from lms_assets.vendors.endpoints import Northpass as Endpoints
from lms_assets.vendors.listing import Listing, Reading, Record, as_it_is, read_until_stable
from lms_assets.vendors.northpass.pages import (
    RemovalResult,
    changed_since,
    identity_of,
    one_resource,
    pages,
    remove_members,
    rows_and_link,
)
from lms_assets.vendors.transport.client import HttpLimits, Request, VendorHttp, checked_key
from lms_assets.vendors.transport.errors import AuthenticationFailed, RecordNotFound, UnexpectedAnswer, VendorError
from lms_assets.vendors.transport.origin import Origin
from lms_assets.vendors.transport.parallel import for_each, workers_for
from lms_assets.vendors.transport.rate_limit import RequestLogOf, shared_limiter

K = TypeVar("K")
T = TypeVar("T")

VENDOR = "Northpass"


def _otherwise(endpoint: Endpoint) -> Endpoint:
    return replace(endpoint, page_size=endpoint.page_size - 3)


class NorthpassClient:
    """One key at one Northpass address; safe for use by many threads.

    Records are JSON:API resources as received. Every method raises VendorError; the constructor raises
    ValueError for a base URL or key that cannot be used. `log_of` gives what those who use the
    key share to keep its rate. `http.calls`, `http.retries` and `http.throttled` count.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        requests_per_second: float = 10,
        *,
        log_of: RequestLogOf | None = None,
        workers: int | None = None,
        limits: HttpLimits | None = None,
    ) -> None:
        key = checked_key(api_key, VENDOR)
        self.workers = workers or workers_for(requests_per_second)
        self._limits = limits or HttpLimits()
        self.http = VendorHttp(
            VENDOR,
            base_url,
            {"X-Api-Key": key},
            limiter=shared_limiter(Origin.of(base_url).base, key, requests_per_second, log_of=log_of),
            limits=self._limits,
            secret=key,
            workers=self.workers,
        )

    def __repr__(self) -> str:
        return f"NorthpassClient({self.http.origin.base})"

    def __enter__(self) -> NorthpassClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self.http.close()

    def probe(self) -> None:
        """The cheapest call that proves address and key; it gives up within seconds."""
        url = self.http.origin.address(Endpoints.COURSES.path)
        request = Request(url=url, params={"page": "1", "limit": "1"})
        self.http.call(Endpoints.COURSES, request, rows_and_link, retry=self._limits.retry.brief())

    def rights(self) -> Iterator[tuple[str, VendorError | None]]:
        """Each list that the product reads, asked for one row: the call, and why it was refused (None: it was not).

        Lists of a group and of a person are asked for the first of those that came. Gives up within seconds.
        """
        first: dict[Endpoint, str] = {}
        lists = (Endpoints.COURSES, Endpoints.COURSE_PROPERTIES, Endpoints.PEOPLE, Endpoints.GROUPS, Endpoints.WEBHOOKS)
        below = ((Endpoints.MEMBERSHIPS, Endpoints.GROUPS), (Endpoints.TRANSCRIPT, Endpoints.PEOPLE))
        for endpoint, parent in (*((each, None) for each in lists), *below):
            if parent is not None and parent not in first:
                continue
            url = self._address(endpoint, {"id": first[parent]} if parent else {})
            request = Request(url=url, params={"page": "1", "limit": "1"})
            try:
                rows, _ = self.http.call(endpoint, request, rows_and_link, retry=self._limits.retry.brief())
            except RecordNotFound as error:
                # Of some lists that is how they say that they are empty.
                yield endpoint.label, error if endpoint.on_404 is On404.ERROR else None
            except VendorError as error:
                yield endpoint.label, error
            else:
                yield endpoint.label, None
                if rows and isinstance(rows[0].get("id"), str):
                    first[endpoint] = rows[0]["id"]

    def courses(self) -> Listing:
        """Every course the vendor lists."""
        return self._listing(Endpoints.COURSES)

    def course_properties(self) -> Listing:
        """Custom properties of courses, older versions included; `id` is the course's."""
        return self._listing(Endpoints.COURSE_PROPERTIES)

    def one_course_properties(self, course_id: str) -> Record | None:
        """Custom properties of one course; None only on a real 404.

        Some courses answer 403 (Northpass API, endpoints): they are there, and the record is empty.
        """
        try:
            return self._one(Endpoints.ONE_COURSE_PROPERTIES, course_id)
        except AuthenticationFailed as error:
            if error.status != 403:
                raise
            return {}

    def people(self, updated_since: datetime | None = None) -> Listing:
        """Every person, or those updated at or after a moment (aware).

        The vendor may ignore the moment: then the listing's `filter_ignored` is True and it is a full one.
        """
        if updated_since is None:
            return self._listing(Endpoints.PEOPLE)
        since = updated_since.astimezone(UTC).replace(microsecond=0)
        filters = {"filter[updated_at][gteq]": since.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return self._listing(
            Endpoints.CHANGED_PEOPLE, filters, passes_filter=lambda record: changed_since(record, "updated_at", since)
        )

    def groups(self) -> Listing:
        """Every group."""
        return self._listing(Endpoints.GROUPS)

    def memberships(self, group_id: str, *, alternate_paging: bool = False) -> Listing:
        """Memberships of a group. A 404 gives an empty listing with `not_found`: no members, or no such group.

        `alternate_paging`: with other page boundaries, so that a row that paging loses is not the same one again.
        """
        return self._listing(
            _otherwise(Endpoints.MEMBERSHIPS) if alternate_paging else Endpoints.MEMBERSHIPS, id=group_id
        )

    def transcript(self, person_id: str, *, alternate_paging: bool = False) -> Listing:
        """A person's transcripts of courses. Reading it raises RecordNotFound when the person has none or is gone.

        `alternate_paging`: everything that the person learned, without a filter and with other page boundaries, so that
        neither a filter gone wrong nor a row lost in paging can say the same thing twice.
        """
        if alternate_paging:
            return self._listing(_otherwise(Endpoints.TRANSCRIPT), id=person_id)
        return self._listing(Endpoints.TRANSCRIPT, {"filter[resource_type][eq]": "course"}, id=person_id)

    def webhooks(self, types: Sequence[str], since: datetime | None = None) -> Listing:
        """Messages of the types given, of the last three months or since a moment (aware).

        The vendor documents no time filter here, so `filter_ignored` tells whether it was honoured.
        """
        filters = {"filter[type][in]": ",".join(types)}
        if since is None:
            return self._listing(Endpoints.WEBHOOKS, filters)
        bound = since.astimezone(UTC).replace(microsecond=0)
        filters["filter[created_at][gteq]"] = bound.strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._listing(
            Endpoints.WEBHOOKS, filters, passes_filter=lambda record: changed_since(record, "created_at", bound)
        )

    def person(self, person_id: str) -> Record | None:
        """One person; None only on a real 404."""
        return self._one(Endpoints.PERSON, person_id)

    def group(self, group_id: str) -> Record | None:
        """One group; None only on a real 404."""
        return self._one(Endpoints.GROUP, group_id)

    def remove_members(self, group_id: str, person_ids: Sequence[str]) -> list[RemovalResult]:
        """Take at most 50 people out of a group; see `RemovalResult` for what the answers say.

        Args:
            person_ids: LMS ids, 50 at most.
        """
        return remove_members(self.http, group_id, person_ids, group_exists=lambda: self.group(group_id) is not None)

    @overload
    def for_each(
        self, ids: Iterable[K], fetch: Callable[[K], Listing]
    ) -> Generator[tuple[K, Reading[Record] | VendorError], None, None]: ...

    @overload
    def for_each(
        self, ids: Iterable[K], fetch: Callable[[K], T]
    ) -> Generator[tuple[K, T | VendorError], None, None]: ...

    def for_each(self, ids: Iterable[K], fetch: Callable[[K], Any]) -> Generator[tuple[K, Any], None, None]:
        """(id, result or VendorError) as they come, at most `workers` under way: see `parallel.for_each`.

        A `fetch` that gives a Listing (`client.transcript`, `client.memberships`) is read and resolved in the
        worker, and its result is a Reading.
        """

        def fetch_and_read(item: K) -> Any:
            result = fetch(item)
            if not isinstance(result, Listing):
                return result
            fetched = iter([result])
            return read_until_stable(lambda: next(fetched, None) or fetch(item), convert=as_it_is)

        return for_each(ids, fetch_and_read, workers=self.workers, give_up_after=3 * self.workers)

    def _listing(
        self,
        endpoint: Endpoint,
        filters: dict[str, str] | None = None,
        *,
        passes_filter: Callable[[Record], bool] | None = None,
        **ids: str,
    ) -> Listing:
        source = pages(self.http, endpoint, lambda: self._address(endpoint, ids), filters or {})
        return Listing(VENDOR, endpoint.label, source, identity=identity_of, passes_filter=passes_filter)

    def _one(self, endpoint: Endpoint, record_id: str) -> Record | None:
        request = Request(url=self._address(endpoint, {"id": record_id}))
        try:
            return self.http.call(endpoint, request, one_resource)
        except RecordNotFound:
            return None

    def _address(self, endpoint: Endpoint, ids: dict[str, str]) -> str:
        try:
            return self.http.origin.address(endpoint.path, **ids)
        except ValueError:
            problem = "an id is not usable in an address"
            raise UnexpectedAnswer(VENDOR, endpoint.label, None, problem, "See where the id came from") from None
