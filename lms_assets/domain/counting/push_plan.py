"""What the CRM should show of each partner, what of it has to be sent, whether it arrived, and what is shown instead.

Pure. What the CRM shows instead of the last confirmed values was changed by somebody or by a workflow of the CRM.
Values are compared by `same_value`, so that another type or spelling is no difference.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from lms_assets.domain.counting.certifications import PartnerCounts
from lms_assets.domain.rules import SUDDEN_FALL_SHARE, Rules
from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.safety.overrides import FIRST_PUSH, Overrides

Value = int | str
Item = TypeVar("Item")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
GROUP_NAME_LIMIT = 255
_ROUNDING = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class PushItem:
    """One account's PATCH: only the fields that differ. `changes`: field to (last confirmed or None, new)."""

    impartner_id: int
    fields: Mapping[str, Value]
    changes: Mapping[str, tuple[Any, Value]]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A field that reads back other than it was sent; `read` is None when the account or the field is missing."""

    impartner_id: int
    field: str
    sent: Value
    read: Any


def target_fields(rules: Rules, portal_url: str | None) -> tuple[str, ...]:
    """The CRM fields that a push may write with this configuration: all of the rules', the link only with a portal."""
    return tuple(each for each in rules.crm_fields if portal_url or each != rules.crm_dashboard_field)


def desired_fields(
    counts: PartnerCounts,
    *,
    partner_id: int,
    group_name: str | None,
    rules: Rules,
    portal_url: str | None = None,
) -> dict[str, Value]:
    """What the CRM should show of one partner: the counts, the group name, the dashboard link, nothing else
    (domain rules, counts).

    Counts are whole numbers, 0 where nothing is held. No group is `""`, which `plan_push` sends only to clear a name
    that was sent before. The link is there only with a `portal_url`; raises `ValueError` when that is none to build on.

    Args:
        partner_id: row id, for the dashboard link.
        group_name: the partner's LMS group; None: it has none.
    """
    fields: dict[str, Value] = {
        field: counts.by_category.get(category, 0) for category, field in rules.crm_count_fields.items()
    }
    fields[rules.crm_total_field] = counts.total_npcu
    fields[rules.crm_group_name_field] = (group_name or "").strip()[:GROUP_NAME_LIMIT]
    if portal_url:
        fields[rules.crm_dashboard_field] = dashboard_link(portal_url, partner_id, rules)
    return fields


def dashboard_link(portal_url: str, partner_id: int, rules: Rules) -> str:
    """The training dashboard of a partner row under the portal's base URL.

    The base must be `https` (`http` only for loopback), with a host and without user, query or fragment; raises
    `ValueError` otherwise, since the link ends up in the CRM for people to click.
    """
    parts = urlsplit(portal_url.strip())
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not secure or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("LMS_PORTAL_URL: an https address without user, query and fragment is needed")
    path = rules.dashboard_path.format(partner_id=int(partner_id))
    base = quote(parts.path.rstrip("/"), safe="/%~")
    return f"{parts.scheme}://{parts.netloc}{base}/{quote(path, safe='/%~')}"


def plan_push(
    desired: Mapping[int, Mapping[str, Value]],
    confirmed: Mapping[int, Mapping[str, Any]],
    *,
    shown: Mapping[int, Mapping[str, Any]] | None = None,
    whole: Container[int] = frozenset(),
) -> tuple[PushItem, ...]:
    """What to send, by Impartner id: of each account the fields that differ from what was last confirmed.

    An account never confirmed gets all its fields. A blank is sent only over something that was confirmed before:
    what the CRM holds and nobody here has written is not ours to clear. Equal is `same_value`.

    Args:
        desired: Impartner id to field and value, of every account that may be sent.
        confirmed: Impartner id to what the CRM last confirmed.
        shown: what the CRM shows instead of what it confirmed, where that is to be set right.
        whole: accounts of which every field is sent, whatever was confirmed.
    """
    items = []
    for impartner_id in sorted(desired):
        known = confirmed.get(impartner_id, {})
        there = {**known, **(shown or {}).get(impartner_id, {})}
        changes = {
            field: (known.get(field), value)
            for field, value in desired[impartner_id].items()
            if not same_value(there.get(field), value) or (impartner_id in whole and not _is_blank(value))
        }
        if changes:
            fields = {field: new for field, (_, new) in changes.items()}
            items.append(PushItem(impartner_id, fields, changes))
    return tuple(items)


def in_batches(items: Sequence[Item], size: int = 50) -> Iterator[Sequence[Item]]:
    """The items in order, at most `size` at a time (Impartner API, write: 50 a call is safe).

    Raises:
        ValueError: `size` is below 1.
    """
    if size < 1:
        raise ValueError("a batch has at least one item")
    for start in range(0, len(items), size):
        yield items[start : start + size]


def compare_read_back(
    sent: Mapping[int, Mapping[str, Value]], read: Mapping[int, Mapping[str, Any]]
) -> tuple[Mismatch, ...]:
    """Every field that was sent and does not read back the same, by account and field.

    Field names are compared ignoring case, since answers come in two (Impartner API, transport); values by
    `same_value`. An account that is not in the answer has all its fields amiss.
    """
    mismatches = []
    for impartner_id in sorted(sent):
        answer = {name.lower(): value for name, value in read.get(impartner_id, {}).items()}
        for name, value in sent[impartner_id].items():
            found = answer.get(name.lower())
            if impartner_id not in read or not same_value(found, value):
                mismatches.append(Mismatch(impartner_id, name, value, found))
    return tuple(mismatches)


class ImplausiblePush(SyncStopped):
    """The first push would lower the CRM's counts too far to be believed."""


FALL_MINIMUM = 20


def refuse_implausible_push(shown: int, wanted: int, overrides: Overrides) -> None:
    """Raise `ImplausiblePush` when Total NPCU would fall from `shown` by more than a fifth, and by more than 20.

    Args:
        shown, wanted: NPCU of all accounts together, in the CRM and after the push.
    """
    fall = shown - wanted
    if fall > max(FALL_MINIMUM, SUDDEN_FALL_SHARE * shown) and not overrides.allows(FIRST_PUSH, fall):
        raise ImplausiblePush(
            f"Total NPCU: the CRM shows {shown}, and the first push would make it {wanted}. Nothing was sent. Look at "
            f"partner_cert_counts. Only if it is right: {overrides.command(FIRST_PUSH)}"
        )


def total_shown(value: Any) -> int:
    """A count as the CRM shows it; what is no number is 0."""
    number = _number(value)
    return int(number) if number is not None else 0


def same_value(one: Any, other: Any) -> bool:
    """Whether two values are the same to the CRM: 3, 3.0 and "3"; None and blank text; text without outer blanks.

    Numbers that a CRM rounded or stored as binary fractions (2.9999999998) are those that they stand for.

    Two texts are compared as texts: a group "007" is not a group "7". 0 is not the same as nothing, and true is not 1.
    """
    if _is_blank(one) or _is_blank(other):
        return _is_blank(one) and _is_blank(other)
    if isinstance(one, str) and isinstance(other, str):
        return one.strip() == other.strip()
    left, right = _number(one), _number(other)
    if left is not None and right is not None:
        return abs(left - right) < _ROUNDING
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return str(one).strip() == str(other).strip()


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


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
