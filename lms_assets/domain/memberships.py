"""Who a membership record is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lms_assets.domain.findings import Rejected
from lms_assets.domain.values import BadValue, label_of, lms_id, object_of


def member_of(record: Any) -> str | Rejected:
    """The person's id in a Northpass `memberships` resource: `relationships.person.data.id`. Never raises.

    The record's own `id` is the membership's, not the person's (Northpass API, endpoints), and is never taken
    instead: without the relationship the record is bad.
    """
    try:
        if not isinstance(record, Mapping):
            raise BadValue("an object expected")
        person = object_of(object_of(record, "relationships"), "person")
        return lms_id(object_of(person, "data").get("id"), "relationships.person.data.id")
    except BadValue as problem:
        return Rejected("bad", "membership", label_of(record, "id"), str(problem))
