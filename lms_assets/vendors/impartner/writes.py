"""The write to the CRM: one PATCH, never repeated blindly, every record's outcome known or said to be unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import stamina

from lms_assets.vendors.endpoints import Endpoint
from lms_assets.vendors.endpoints import Impartner as Endpoints
from lms_assets.vendors.impartner.responses import integer, refuse_if_unauthorised
from lms_assets.vendors.listing import Record
from lms_assets.vendors.transport.client import Request, VendorHttp
from lms_assets.vendors.transport.errors import (
    RequestRejected,
    TransientVendorError,
    UnexpectedAnswer,
    WriteOutcomeUnknown,
)
from lms_assets.vendors.transport.responses import ShapeError, error_summary, scrub
from lms_assets.vendors.transport.retries import RetryPolicy

Row = Mapping[str, Any]
ReadBack = Callable[[Sequence[int], Sequence[str]], Mapping[int, Record]]
Same = Callable[[Any, Any], bool]
"""Whether the vendor holds what was sent, however it spells it. A rule, so it is handed in."""

SENDINGS = 3
UNKNOWN = "it is not known whether this was applied; read the record before it is sent again"


@dataclass(frozen=True, slots=True)
class PatchResult:
    """What became of one record. `error` is None when `ok`, else the vendor's words, scrubbed, or UNKNOWN.

    `code` is the vendor's word for the kind of error, or the HTTP status; None when it gave none.
    """

    impartner_id: int
    ok: bool
    error: str | None = None
    code: str | None = None


class _Unconfirmed(Exception):
    """Some records have neither been confirmed nor refused."""


def patch(
    http: VendorHttp, endpoint: Endpoint, rows: Sequence[Row], *, read_back: ReadBack, same: Same, retry: RetryPolicy
) -> list[PatchResult]:
    """Send the rows, each with `Id` and the fields to change; one result a row, in their order.

    Repeated without looking only when nothing was applied (429, no connection). When the answer was lost, cannot
    be read or does not fit, the records are read back: what holds the values sent counts as done, only the rest
    is sent again, at most three times in all. Raises AuthenticationFailed and other errors that no record caused.
    ValueError for more than 50 rows, a row without a whole Id or without fields, or an Id twice.
    """
    pending = _by_id(rows)
    order = list(pending)
    results: dict[int, PatchResult] = {}
    try:
        for attempt in stamina.retry_context(
            on=_Unconfirmed,
            attempts=SENDINGS,
            timeout=None,
            wait_initial=retry.wait_initial,
            wait_max=retry.wait_max,
            wait_jitter=retry.wait_jitter,
        ):
            with attempt:
                problem = _send_once(http, endpoint, pending, results, first=attempt.num == 1)
                if pending:
                    _confirm_writes(pending, results, read_back, same)
                if pending:
                    raise _Unconfirmed(problem)
    except _Unconfirmed as unresolved:
        error = f"{UNKNOWN} ({unresolved})"
        results.update({number: PatchResult(number, False, error) for number in pending})
    return [results[number] for number in order]


def _by_id(rows: Sequence[Row]) -> dict[int, Row]:
    if len(rows) > Endpoints.ACCOUNTS_PER_PATCH:
        raise ValueError(f"at most {Endpoints.ACCOUNTS_PER_PATCH} records a call")
    found: dict[int, Row] = {}
    for row in rows:
        number = row.get("Id")
        if not isinstance(number, int) or isinstance(number, bool) or number in found or len(row) < 2:
            raise ValueError("each record needs its own whole Id and a field to change")
        found[number] = row
    return found


def _send_once(
    http: VendorHttp,
    endpoint: Endpoint,
    pending: dict[int, Row],
    results: dict[int, PatchResult],
    *,
    first: bool,
) -> str:
    """Send what is pending and move what the answer resolves into the results; says why the rest is not resolved."""
    if not pending:
        return ""
    url = http.origin.address(endpoint.path)
    sent = list(pending)
    request = Request(url=url, body=[dict(row) for row in pending.values()])
    try:
        outcomes = http.call(endpoint, request, lambda body: _outcomes(body, sent))
    except WriteOutcomeUnknown as error:
        return error.problem
    except TransientVendorError as error:
        if first:
            raise
        return error.problem
    except RequestRejected as error:
        outcomes = [PatchResult(number, False, error.problem, error.code) for number in sent]
    for outcome in outcomes:
        results[outcome.impartner_id] = outcome
        del pending[outcome.impartner_id]
    return "the answer does not say what became of this record"


def _outcomes(body: Any, sent: Sequence[int]) -> list[PatchResult]:
    """The results that surely belong to a record; those that do not fit are left out, to be read back."""
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        refuse_if_unauthorised(body)
        raise ShapeError("`results` is missing or is not a list of objects")
    named = [_named_id(result) for result in results]
    in_order = len(results) == len(sent) and all(
        name in (None, number) for name, number in zip(named, sent, strict=True)
    )
    numbers = list(sent) if in_order else named
    resolved: dict[int, PatchResult] = {}
    for number, result in zip(numbers, results, strict=True):
        success = result.get("success")
        if number is None or number not in sent or number in resolved or not isinstance(success, bool):
            continue
        error = None if success else error_summary(result) or "refused without a reason"
        resolved[number] = PatchResult(number, success, error, None if success else _code_in(result))
    return list(resolved.values())


def _code_in(result: Record) -> str | None:
    """The code of a refused record's first error."""
    errors = result.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    code = first.get("code") if isinstance(first, dict) else None
    return scrub(str(code))[:100] if isinstance(code, str | int) else None


def _named_id(result: Record) -> int | None:
    data = result.get("data")
    lower = {key.lower(): value for key, value in data.items()} if isinstance(data, dict) else {}
    return integer(lower.get("id"))


def _confirm_writes(pending: dict[int, Row], results: dict[int, PatchResult], read_back: ReadBack, same: Same) -> None:
    """Take out of pending what the vendor already holds."""
    fields = sorted({name for row in pending.values() for name in row if name != "Id"})
    try:
        found = read_back(list(pending), fields)
    except (TransientVendorError, UnexpectedAnswer):
        return
    for number, row in list(pending.items()):
        record = found.get(number)
        if record is not None and all(same(row[name], record.get(name)) for name in row if name != "Id"):
            results[number] = PatchResult(number, True)
            del pending[number]
