"""LMS accounts as rows: which fields they have and which of them are active."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lms_assets.domain.records.dates import harmless_date
from lms_assets.domain.records.emails import fold_email
from lms_assets.domain.records.values import (
    BadValue,
    Rejected,
    flag_of,
    harmless_text,
    kind_of,
    label_of,
    lms_id,
    object_of,
    text_of,
)

DISABLED = "disabled at the source"


@dataclass(frozen=True, slots=True)
class StoredUser:
    """A row of lms_users. `last_active_at` and the others are UTC."""

    id: str
    email: str | None
    is_active: bool
    status: str
    last_active_at: datetime | None
    updated_at_lms: datetime | None
    contact_id: int | None


@dataclass(frozen=True, slots=True)
class LmsUser:
    """A Northpass person; the fields are columns of `lms_users`. `status` is `active` or `deactivated`
    (`deleted` is for accounts that are gone, which no record says).
    """

    id: str
    email: str | None
    first_name: str | None
    last_name: str | None
    created_at_lms: datetime | None
    last_active_at: datetime | None
    deactivated_at: datetime | None
    status: str
    is_active: bool
    deactivation_reason: str | None
    updated_at_lms: datetime | None = None


def user_from_person(record: Any) -> LmsUser | Rejected:
    """The account in a Northpass `people` resource, or why it is bad. Never raises, never excludes.

    - Bad: no id; no `attributes`; `email` no text; `disabled` neither true nor false.
    - Accounts without e-mail, or with one that is no valid address, are kept under their own id (domain rules,
      two LMS accounts with one e-mail, or none). The e-mail is in lower case.
    - `disabled` true is not active, with or without `deactivated_at`. Where `disabled` is missing, a
      `deactivated_at` says it; where `disabled` is false, an old `deactivated_at` does not count.
    - Names and dates are harmless: unreadable is None, over-long is cut.
    """
    label = label_of(record, "id")
    if not isinstance(record, Mapping):
        return Rejected("bad", "lms_user", label, f"an object expected, got {kind_of(record)}")
    try:
        person_id = lms_id(record.get("id"))
        attributes = object_of(record, "attributes")
        email = fold_email(text_of(attributes, "email", limit=1000))
        disabled = flag_of(attributes, "disabled")
    except BadValue as problem:
        return Rejected("bad", "lms_user", label, str(problem))
    deactivated_at = harmless_date(attributes.get("deactivated_at"))
    is_active = not disabled if disabled is not None else deactivated_at is None
    return LmsUser(
        id=person_id,
        email=email,
        first_name=harmless_text(attributes, "first_name"),
        last_name=harmless_text(attributes, "last_name"),
        created_at_lms=harmless_date(attributes.get("created_at")),
        last_active_at=harmless_date(attributes.get("last_active_at")),
        deactivated_at=None if is_active else deactivated_at,
        status="active" if is_active else "deactivated",
        is_active=is_active,
        deactivation_reason=None if is_active else DISABLED,
        updated_at_lms=harmless_date(attributes.get("updated_at")),
    )
