"""Taking people out of an LMS group. The only write to Northpass; it is idempotent, so it may be repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lms_assets.vendors.answers import ShapeError
from lms_assets.vendors.endpoints import Northpass as Endpoints
from lms_assets.vendors.errors import RecordNotFound
from lms_assets.vendors.http import Request, VendorHttp


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
