"""Why a partner's counts must not leave: something they rest on was not read, or not since it last changed.

The general rule (domain rules, NPCU and certifications): a count leaves only if everything it rests on was read after
the last change of what it rests on. Pure values; `warehouse.reading.withheld` finds the facts. Instants are UTC; None
is unknown or never, as each function says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lms_assets.domain.linking.partner_users import Affiliation
from lms_assets.domain.wording import number_of

SHOWN = 5


@dataclass(frozen=True, slots=True, order=True)
class WithheldReason:
    """One reason. `kind` is a fixed word for programs; `text` is for people and holds ids, never personal data."""

    kind: str
    text: str


Found = Iterator[tuple[int, WithheldReason]]
"""Partner row ids, each with a reason."""


@dataclass(frozen=True, slots=True)
class GroupBasis:
    """An active group of a partner. `linked_at`: since when it is that partner's (None: since before that was noted).

    `members_read_at`: when its members were last read completely; None when never.
    """

    id: str
    name: str
    partner_id: int | None
    link_method: str | None
    linked_at: datetime | None
    members_read_at: datetime | None


@dataclass(frozen=True, slots=True)
class ContactBasis:
    """An active contact of a partner. `changed_at`: when its address or partner last changed, or it came back."""

    id: int
    partner_id: int
    changed_at: datetime | None
    has_account: bool


def by_partner(found: Iterable[tuple[int, WithheldReason]]) -> Mapping[int, tuple[WithheldReason, ...]]:
    """Partner row id to its reasons, each once, sorted."""
    reasons: dict[int, set[WithheldReason]] = {}
    for partner_id, reason in found:
        reasons.setdefault(partner_id, set()).add(reason)
    return {partner_id: tuple(sorted(of_partner)) for partner_id, of_partner in sorted(reasons.items())}


def in_plain_words(reasons: Iterable[WithheldReason]) -> str:
    """Why a count is not confirmed, for readers who know no syncs: each reason once, without ids."""
    return "; ".join(dict.fromkeys(_PLAIN_WORDS.get(each.kind, _OTHER_REASON) for each in reasons))


_OTHER_REASON = "not everything that it rests on was read yet"
_PLAIN_WORDS = {
    "groups_not_read": "the partner is new or was renamed, and its LMS groups were not read yet",
    "contacts_not_read": "the partner is new or was renamed, and its CRM contacts were not read yet",
    "group_never_read": "the members of an LMS group of it were not read yet",
    "group_not_read_since_linked": "the members of an LMS group that is new for it were not read yet",
    "override_not_applied": "an LMS group was given to another partner by hand, and that is not counted yet",
    "users_not_read_since_contact_changed": "a CRM contact of it changed, and LMS accounts were not read since",
    "person_never_read": "what some of its people learned was not read yet",
    "person_not_read_since": "what some people who are new for it learned was not read yet",
    "not_counted_since": "it was counted before everything that it rests on was read",
    "row_refused": "the database refused a row that it rests on",
    "recount_differs": "two methods of counting do not agree about it",
    "changed_since_counted": "it changed after it was counted",
}


def named(withheld: Mapping[int, tuple[WithheldReason, ...]]) -> list[str]:
    """One line a partner, for people: its row id and every reason."""
    return [f"partner {key}: {'; '.join(each.text for each in reasons)}" for key, reasons in withheld.items()]


def partners_not_followed(changed: Mapping[int, datetime | None], read: Mapping[str, datetime | None]) -> Found:
    """Partners that appeared, came back or were renamed after something that finds their people was last read.

    Args:
        changed: partner row id to when that happened; None: before it was noted.
        read: what was read ("groups", "contacts", …) to when its last complete reading began; None when never.
    """
    for partner_id, changed_at in changed.items():
        for what, read_at in read.items():
            if read_at is None or (changed_at is not None and read_at < changed_at):
                text = f"{what} were not read since the partner appeared, came back or was renamed"
                yield partner_id, WithheldReason(f"{what}_not_read", text)


def groups_not_read(groups: Iterable[GroupBasis]) -> Found:
    """Partners with a group whose members were never read completely, or not since it is theirs."""
    for group in groups:
        if group.partner_id is None:
            continue
        if group.members_read_at is None:
            text = f"members of group {group.id} were never read completely"
            yield group.partner_id, WithheldReason("group_never_read", text)
        elif group.linked_at is not None and group.members_read_at < group.linked_at:
            text = f"members of group {group.id} were not read since it became the partner's"
            yield group.partner_id, WithheldReason("group_not_read_since_linked", text)


def overrides_not_applied(
    groups: Iterable[GroupBasis],
    overrides: Mapping[str, int | None],
    partner_ids: Iterable[int],
    is_everybodys: Callable[[str], bool],
) -> Found:
    """Partners that lose or get a group by a row of `group_partner_overrides` that no sync of groups has seen yet.

    Args:
        partner_ids: row ids of all partners.
        overrides: group id to partner row id, None for nobody's.
        is_everybodys: whether a group of this name belongs to nobody whatever an override says.
    """
    known = set(partner_ids)
    for group in groups:
        by_hand = group.id in overrides and not is_everybodys(group.name)
        target = overrides.get(group.id)
        wanted = target if target in known else None
        if by_hand == (group.link_method == "override") and (not by_hand or wanted == group.partner_id):
            continue
        reason = WithheldReason(
            "override_not_applied", f"the override of group {group.id} changed and groups were not read since"
        )
        for partner_id in {group.partner_id, wanted if by_hand else None}:
            if partner_id is not None:
                yield partner_id, reason


def contacts_not_matched(
    contacts: Iterable[ContactBasis], *, users_read_at: datetime | None, users_listed_at: datetime | None
) -> Found:
    """Partners with a contact that changed after the LMS users were last read.

    Args:
        users_read_at: when the last reading of users that was written began; None when never.
        users_listed_at: the same of the last one whose listing was complete. A contact without an LMS account needs
            that one: an incomplete listing may lack the account.
    """
    changed: dict[tuple[int, str], list[str]] = {}
    for contact in contacts:
        read_at = users_read_at if contact.has_account else users_listed_at
        if read_at is None or (contact.changed_at is not None and read_at < contact.changed_at):
            how = "read" if contact.has_account else "read completely"
            changed.setdefault((contact.partner_id, how), []).append(str(contact.id))
    for (partner_id, how), ids in changed.items():
        text = f"LMS users were not {how} since the change of {_listed(ids, 'contact')}"
        yield partner_id, WithheldReason("users_not_read_since_contact_changed", text)


def people_not_read(
    affiliations: Iterable[Affiliation],
    came_at: Callable[[Affiliation], datetime | None],
    read_at: Mapping[str, datetime | None],
) -> Found:
    """Partners with a person whose transcript was never read, or not since the person counts for the partner.

    Args:
        came_at: since when the person counts there; None: since before that was noted.
        read_at: LMS id to when the reading of the last complete transcript began; None when there was none.
    """
    never: dict[int, list[str]] = {}
    not_since: dict[int, list[str]] = {}
    for each in affiliations:
        if each.obstacle is not None:
            continue
        read, came = read_at.get(each.user_id), came_at(each)
        if read is None:
            never.setdefault(each.partner_id, []).append(each.user_id)
        elif came is not None and read < came:
            not_since.setdefault(each.partner_id, []).append(each.user_id)
    for partner_id, people in never.items():
        yield (
            partner_id,
            WithheldReason("person_never_read", f"transcripts never read completely: {people_listed(people)}"),
        )
    for partner_id, people in not_since.items():
        text = f"transcripts not read since the person counts for the partner: {people_listed(people)}"
        yield partner_id, WithheldReason("person_not_read_since", text)


def long_unread(
    affiliations: Iterable[Affiliation], read_at: Mapping[str, datetime], before: datetime
) -> Mapping[int, tuple[str, ...]]:
    """Partner row id to those of its people whose transcript was last read before an instant, by LMS id.

    People who were never read are not among them: their partners are withheld.

    Args:
        read_at: LMS user id to the last complete reading (UTC).
    """
    found: dict[int, list[str]] = {}
    for each in affiliations:
        read = read_at.get(each.user_id)
        if each.obstacle is None and read is not None and read < before:
            found.setdefault(each.partner_id, []).append(each.user_id)
    return {partner_id: tuple(sorted(people)) for partner_id, people in sorted(found.items())}


def people_listed(people: Sequence[str]) -> str:
    """How many, and the first few of them by LMS id."""
    return _listed(people, "person", "people")


def _listed(ids: Sequence[str], one: str, several: str | None = None) -> str:
    more = f" and {len(ids) - SHOWN:,} more" if len(ids) > SHOWN else ""
    return f"{number_of(len(ids), one, several)} ({', '.join(sorted(ids)[:SHOWN])}{more})"


ROWS_SHOWN = 3

Counts = Mapping[str, int]
"""Column to count, as stored for one partner."""
Row = tuple[str, str]
"""LMS ids of a person and of a course: one certification that counts."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One partner's counts as stored and as recounted, as of one instant, and as the first method counts them now.

    `counted_rows` make up the stored counts, `recounted_rows` the recounted ones.
    """

    stored: Counts
    recounted: Counts
    counted_now: Counts
    counted_rows: Collection[Row]
    recounted_rows: Collection[Row]


def differing(stored: Mapping[int, Counts], recounted: Mapping[int, Counts]) -> tuple[int, ...]:
    """Partners that were recounted and whose stored counts are not the same; what is not stored is 0."""
    return tuple(
        sorted(
            partner_id
            for partner_id, counts in recounted.items()
            if any((stored.get(partner_id, {}).get(name) or 0) != number for name, number in counts.items())
        )
    )


def withheld_for(found: Difference) -> WithheldReason:
    """Why the partner is withheld: something changed since it was counted, or the two methods disagree."""
    numbers = "; ".join(
        f"{name} is stored as {int(found.stored.get(name) or 0):,} and recounted as {int(number):,}"
        for name, number in found.recounted.items()
        if (found.stored.get(name) or 0) != number
    )
    rows = [
        *_rows_listed("only in the count", set(found.counted_rows) - set(found.recounted_rows)),
        *_rows_listed("only in the recount", set(found.recounted_rows) - set(found.counted_rows)),
    ]
    differences = "; ".join([numbers, *rows])
    if found.counted_now == found.recounted:
        text = f"the counts or what they rest on changed since the counting: {differences}"
        return WithheldReason("changed_since_counted", text)
    return WithheldReason("recount_differs", f"two methods of counting disagree: {differences}")


def _rows_listed(where: str, rows: Collection[Row]) -> list[str]:
    if not rows:
        return []
    shown = ", ".join(f"person {user} course {course}" for user, course in sorted(rows)[:ROWS_SHOWN])
    more = f" and {len(rows) - ROWS_SHOWN:,} more" if len(rows) > ROWS_SHOWN else ""
    return [f"{where}: {shown}{more}"]
