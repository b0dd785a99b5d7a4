"""LMS groups as rows: which are kept. Whose they are is decided in group_links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lms_assets.domain.records.values import (
    BadValue,
    Rejected,
    folded,
    harmless_text,
    harmless_whole_number,
    kind_of,
    label_of,
    lms_id,
    object_of,
    text_of,
)
from lms_assets.domain.rules import Rules

_WORD = re.compile(r"[^\W_]+")
_DESCRIPTION_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class LmsGroup:
    """A Northpass group; the fields are columns of `lms_groups`. `user_count` is the vendor's own count or None."""

    id: str
    name: str
    description: str | None
    user_count: int | None


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A row of lms_groups; `link_method` and `link_score` (0-100) say how `partner_id` was found."""

    id: str
    name: str
    user_count: int | None
    is_active: bool
    partner_id: int | None
    link_method: str | None
    link_score: float | None
    members_synced_at: datetime | None


def group_from_record(record: Any, rules: Rules) -> LmsGroup | Rejected:
    """The group in a Northpass `groups` resource, or why it is none. Never raises.

    - Bad: no id; no `attributes`; no `name`, or one that is no text or over 255 characters.
    - Excluded (domain rules, groups that are not partners'): a name in `excluded_group_names`, or one that has a
      word of `excluded_group_words`; `kept_group_names` go before both. Names are compared ignoring case and extra
      blanks; a word is a run of letters and digits, so `ptr_test` goes and `Contest Partners` stays.
    - `user_count` is evidence only: None when it cannot be read. The description is cut at 10,000 characters.
    """
    label = label_of(record, "id")
    if not isinstance(record, Mapping):
        return Rejected("bad", "group", label, f"an object expected, got {kind_of(record)}")
    try:
        group_id = lms_id(record.get("id"))
        attributes = object_of(record, "attributes")
        name = text_of(attributes, "name")
        if name is None:
            raise BadValue("name: missing or blank")
    except BadValue as problem:
        return Rejected("bad", "group", label, str(problem))
    if not is_kept_group(name, rules):
        reason = _reason_to_leave_out(name, rules)
        if reason:
            return Rejected("excluded", "group", label, reason)
    return LmsGroup(
        id=group_id,
        name=name,
        description=harmless_text(attributes, "description", limit=_DESCRIPTION_LIMIT),
        user_count=harmless_whole_number(attributes, "user_count"),
    )


def is_kept_group(name: str, rules: Rules) -> bool:
    """Whether this is a group of everybody with partner access (`All Partners`): kept, and nobody's own."""
    return folded(name) in {folded(each) for each in rules.kept_group_names}


def _reason_to_leave_out(name: str, rules: Rules) -> str | None:
    if folded(name) in {folded(each) for each in rules.excluded_group_names}:
        return "a group of everybody, not a partner's"
    if set(_WORD.findall(folded(name))) & {folded(each) for each in rules.excluded_group_words}:
        return "the name has a word of groups that are not partners'"
    return None


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
