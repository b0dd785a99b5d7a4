"""The catalogue of faults: for each kind what it does, its options, and which calls it can hit at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lms_assets.sandbox.calls.exchange import Call

# Endpoints that answer a list, page by page.
LISTINGS = frozenset(
    {
        "GET /courses",
        "GET /properties/courses",
        "GET /people",
        "GET /groups",
        "GET /groups/{id}/memberships",
        "GET /transcripts/{id}",
        "GET /courses/{id}/enrollments",
        "GET /webhooks",
        "GET /Account",
        "GET /User",
        "GET /Lead",
        "GET /Region",
        "GET /LeadStatus",
    }
)


def _any(_: Call) -> bool:
    return True


def _listing(call: Call) -> bool:
    return call.endpoint in LISTINGS


def _later_page(call: Call) -> bool:
    later = int_or(call.value("page"), 1) > 1 or int_or(call.value("skip"), 0) > 0
    return _listing(call) and later


def _filtered(call: Call) -> bool:
    return _listing(call) and any(name == "filter" or name.startswith("filter[") for name, _ in call.query)


def _northpass_listing(call: Call) -> bool:
    return call.vendor == "northpass" and _listing(call)


def _write(call: Call) -> bool:
    return call.method in ("PATCH", "DELETE", "POST", "PUT")


def _patch(call: Call) -> bool:
    return call.endpoint == "PATCH /Account"


def int_or(text: str | None, default: int) -> int:
    """`text` as a whole number, `default` when it is none."""
    return int(text) if text is not None and text.strip().isdigit() else default


@dataclass(frozen=True, slots=True)
class Kind:
    """What a fault does; `options` maps each option to its meaning."""

    meaning: str
    options: dict[str, str]
    applies: Callable[[Call], bool] = _any


_COUNT = {"count": "Impartner's: `cut` (default) agrees with the rows, `full` is the undisturbed one"}

KINDS: dict[str, Kind] = {
    "throttle": Kind("429, a storm when many are hit", {"retry_after": "seconds in Retry-After, none if left out"}),
    "server_error": Kind("5xx instead of the answer", {"status": "500 (default), 502, 503 ..."}),
    "unauthorized": Kind("401 although the key is right", {}),
    "forbidden": Kind("403 although the key is right", {}),
    "not_found": Kind("404 although the thing is there", {}),
    "redirect": Kind("302 to elsewhere", {"to": "URL, default http://other.example.org/"}),
    "slow": Kind("the answer comes late", {"seconds": "default 5"}),
    "reset_before_status": Kind("connection reset before the status line, nothing done", {}),
    "reset_in_body": Kind("connection reset in the middle of the body", {}),
    "truncated_json": Kind("half of the JSON, with the length of that half", {}),
    "html_page": Kind("an HTML page with status 200", {}),
    "wrong_content_type": Kind("the right body as text/plain", {"content_type": "default text/plain"}),
    "gzip_error": Kind("Content-Encoding: gzip around something else", {}),
    "empty_body": Kind("status 200 and nothing", {}),
    "duplicate_page": Kind("a later page answers the rows of the page before", {}, _later_page),
    "page_drift_removed": Kind("a row of the first page vanished: one row is never seen", _COUNT, _later_page),
    "page_drift_added": Kind("a row came in at the front: one row is seen twice", _COUNT, _later_page),
    "ignored_filter": Kind("the filter is not applied", {}, _filtered),
    "cut_short": Kind(
        "the listing ends early without a result",
        {"keep": "rows kept, default half of them", **_COUNT},
        _listing,
    ),
    "empty_is_404": Kind("404 where the list is empty", {}, _listing),
    "empty_is_list": Kind("an empty list where 404 is usual", {}, _listing),
    "off_host_next": Kind("links.next on another host", {"host": "default other.example.org"}, _northpass_listing),
    "endless_next": Kind("links.next leads back to this page, for ever", {}, _northpass_listing),
    "answer_lost": Kind("a write is done and its answer lost", {}, _write),
    "patch_records_fail": Kind(
        "records of a PATCH fail", {"share": "of the records, default all", "ids": "only these accounts"}, _patch
    ),
    "patch_not_applied": Kind("a PATCH is confirmed but not done", {}, _patch),
    "clock_skew": Kind("Date header and updated times are off", {"seconds": "default 3600, negative is behind"}),
    "big_record": Kind("5 MB in one record's attributes", {"bytes": "default 5000000"}, _listing),
    "null_field": Kind("null in a field", {"field": "attribute or `id`", "row": "place on the page, default 0"}),
    "wrong_type": Kind(
        "a value of a wrong type in a field",
        {"field": "attribute or `id`", "row": "place on the page, default 0", "value": "default a nested object"},
    ),
    "missing_field": Kind("a field is missing", {"field": "attribute or `id`", "row": "place on the page, default 0"}),
    "mutate": Kind("the vendor state changes just before the answer", {"action": "name", "arguments": "its arguments"}),
}
