"""What the CRM shows instead of the values that it last confirmed: somebody or a workflow of the CRM changed them.

Pure. Values are compared by `push_plan.same_value`, so that another type or spelling is no difference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lms_assets.domain.counting.push_plan import same_value


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


def is_comparable(*, shown_at: datetime, confirmed_at: datetime | None, last_attempt_at: datetime | None) -> bool:
    """Whether what was shown can be compared with what was confirmed: it was read after the last push had ended.

    A push that began and of which nobody knows whether it arrived may stand in the CRM: then nothing is compared.
    """
    ended = confirmed_at is not None and (last_attempt_at is None or last_attempt_at <= confirmed_at)
    return ended and confirmed_at is not None and confirmed_at < shown_at


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


def fields_shown(fields: Collection[str], records: Collection[Mapping[str, Any]]) -> tuple[str, ...]:
    """Those of the fields that the CRM shows at all.

    A field that is empty can be missing in an answer, and so can one that the key may not read: one that has a value
    in no record is not compared.
    """
    return tuple(field for field in fields if any(not same_value(record.get(field), None) for record in records))
