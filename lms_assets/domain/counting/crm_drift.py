"""What the CRM shows instead of the values that it last confirmed: somebody or a workflow of the CRM changed them.

Pure. Values are compared by `push_plan.same_value`, so that another type or spelling is no difference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lms_assets.domain.counting.push_plan import same_value


@dataclass(frozen=True, slots=True)
class Pushed:
    """The push's memory of one account.

    Attributes:
        fields: CRM field to the value last read back from the CRM; empty when nothing was ever confirmed.
        failed_attempts: attempts in a row that were refused; 0 after a confirmed one.
    """

    impartner_id: int
    fields: Mapping[str, Any]
    confirmed_at: datetime | None
    last_attempt_at: datetime | None
    last_error: str | None
    failed_attempts: int


@dataclass(frozen=True, slots=True)
class Shown:
    """One account as it was listed; `since` when each field that differed was first seen to differ."""

    fields: Mapping[str, Any]
    shown_at: datetime
    since: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drift:
    """A field of an account that shows something else than was confirmed. `since`: when that was first seen."""

    impartner_id: int
    field: str
    ours: Any
    theirs: Any
    since: datetime | None


def drift_text(drift: Drift, name: str | None) -> str:
    """One drift for people; values that may come from a person's hand are quoted."""
    since = f", since {drift.since:%Y-%m-%d %H:%M} UTC" if drift.since else ""
    label = f" ({name})" if name else ""
    theirs = "nothing" if same_value(drift.theirs, None) else repr(drift.theirs)
    return f"account {drift.impartner_id}{label}, {drift.field}: ours {drift.ours!r}, the CRM shows {theirs}{since}"


def compared(pushed: Pushed, shown: Shown) -> dict[str, Any]:
    """What an account shows instead of what was confirmed, by field; nothing while that cannot be told.

    It can when it was listed after the last push had ended. A push that began and of which nobody knows whether it
    arrived may stand in the CRM: then nothing is compared.
    """
    confirmed_at, tried_at = pushed.confirmed_at, pushed.last_attempt_at
    if confirmed_at is None or (tried_at is not None and tried_at > confirmed_at) or confirmed_at >= shown.shown_at:
        return {}
    return shown_otherwise(pushed.fields, shown.fields)


def shown_since(pushed: Pushed, shown: Shown | None) -> Mapping[str, Any]:
    """What was shown of an account since it was last confirmed; nothing when it was not listed since."""
    if shown is None or (pushed.confirmed_at is not None and shown.shown_at <= pushed.confirmed_at):
        return {}
    return shown.fields


def shown_otherwise(confirmed: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown instead, by field; a field that one of them lacks is not compared.

    Args:
        confirmed, shown: CRM field to value, of one account.
    """
    return {
        field: shown[field]
        for field, value in confirmed.items()
        if field in shown and not same_value(shown[field], value)
    }


def since_when(differing: Collection[str], before: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
    """Since when each of the fields differs: what was seen to differ before keeps its time.

    Args:
        differing: CRM fields that differ now.
        before: field to since when it was seen to differ. All instants are UTC.
    """
    return {field: before.get(field, now) for field in differing}


def comparable(shown: Mapping[int, Mapping[str, Any]]) -> tuple[tuple[str, ...], dict[int, dict[str, Any]]]:
    """The fields that can be compared, and what each account shows of them, by Impartner id.

    Args:
        shown: the same fields of each account.
    """
    names = fields_shown(tuple(next(iter(shown.values()), ())), list(shown.values()))
    return names, {number: {name: record[name] for name in names} for number, record in sorted(shown.items())}


def fields_shown(fields: Collection[str], records: Collection[Mapping[str, Any]]) -> tuple[str, ...]:
    """Those of the fields that the CRM shows at all.

    A field that is empty can be missing in an answer, and so can one that the key may not read: one that has a value
    in no record is not compared.
    """
    return tuple(field for field in fields if any(not same_value(record.get(field), None) for record in records))
