"""What a sync of the LMS users writes: who is listed, who left or was disabled and was confirmed to be, and which
account each contact is, by e-mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lms_assets.domain.records.emails import fold_email
from lms_assets.domain.records.users import LmsUser, StoredUser
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.confirmation import Answers, Doubt, ListingResult, confirm_changed, confirm_missing
from lms_assets.domain.safety.deactivation_limit import most_deactivations

LinkableUser = LmsUser | StoredUser
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class UserPlan:
    """What is to be written of the LMS users.

    Attributes:
        listing: what was read, incomplete where answers by id contradict it.
        rows: people to write; those in doubt are left as they are stored.
        returned: ids of people who are active again. What is stored of their transcripts may be old.
        gone: ids of active people who are no longer there. `gone_inactive`: of those who were inactive before.
        leaving: ids of active people who are gone or disabled, for the deactivation limit.
    """

    listing: ListingResult[LmsUser]
    rows: tuple[LmsUser, ...]
    returned: frozenset[str]
    gone: frozenset[str]
    gone_inactive: frozenset[str]
    leaving: frozenset[str]


def doubtful_users(
    listing: ListingResult[LmsUser], stored: Mapping[str, StoredUser], rules: Rules
) -> dict[Doubt, list[str]]:
    """Whom to ask for by id before the listing takes something away from them; ids, sorted.

    No limit judges rows that are inactive already, so each of them is asked for, and at most as many at a time as the
    deactivation limit allows; the others wait for the next sync.

    Args:
        stored: LMS user id to the row.
    """
    listed = {user.id: user for user in listing.accepted}
    known = {key: user for key, user in listed.items() if key in stored}
    doubts = {
        Doubt.DISABLED: sorted(key for key, user in known.items() if stored[key].is_active and not user.is_active),
        Doubt.WITHOUT_EMAIL: sorted(key for key, user in known.items() if stored[key].email and user.email is None),
    }
    if listing.complete:
        came = listed.keys() | listing.bad_ids
        missing = [row for row in stored.values() if row.status != "deleted" and row.id not in came]
        limit = most_deactivations(sum(row.is_active for row in stored.values()), rules)
        doubts[Doubt.ABSENT] = sorted(row.id for row in missing if row.is_active)
        doubts[Doubt.ABSENT_INACTIVE] = sorted(row.id for row in missing if not row.is_active)[:limit]
    return doubts


def plan_users(
    listing: ListingResult[LmsUser],
    stored: Mapping[str, StoredUser],
    answers: Mapping[Doubt, Answers[str, LmsUser]],
) -> UserPlan:
    """Decide what the listing changes, given what people in doubt answered by id (`doubtful_users`).

    Args:
        stored: LMS user id to the row.
    """
    listing, disabled = confirm_changed(
        listing, answers.get(Doubt.DISABLED), lambda each: not getattr(each, "is_active", True)
    )
    listing, without_email = confirm_changed(
        listing, answers.get(Doubt.WITHOUT_EMAIL), lambda each: getattr(each, "email", "") is None
    )
    asked = {key for doubt in (Doubt.DISABLED, Doubt.WITHOUT_EMAIL) if doubt in answers for key in answers[doubt].asked}
    doubted = asked - disabled - without_email
    listing, gone = confirm_missing(listing, answers.get(Doubt.ABSENT))
    listing, gone_inactive = confirm_missing(listing, answers.get(Doubt.ABSENT_INACTIVE))
    if not listing.complete:
        gone = gone_inactive = frozenset()
    return UserPlan(
        listing,
        rows=tuple(user for user in listing.accepted if user.id not in doubted),
        returned=frozenset(
            user.id
            for user in listing.accepted
            if user.is_active and user.id in stored and not stored[user.id].is_active and user.id not in doubted
        ),
        gone=gone,
        gone_inactive=gone_inactive,
        leaving=gone | (disabled - doubted),
    )


def link_contacts(contacts: Iterable[tuple[int, str | None]], users: Iterable[LinkableUser]) -> dict[int, str | None]:
    """For every contact (id, e-mail) the LMS account with its e-mail, or None (domain rules, contact to LMS user).

    E-mails are compared ignoring case and surrounding blanks. Of several accounts: an active one, then the one
    active last (never is earliest), then the lowest id. Accounts that are gone (`deleted`) are not linked. Computed
    from the present alone, so a link made before moves with the e-mail. A contact without e-mail gets None.
    """
    best: dict[str, tuple[tuple[bool, datetime], str]] = {}
    for user in users:
        email = fold_email(user.email)
        if email is None or user.status == "deleted":
            continue
        rank, known = _rank(user), best.get(email)
        if known is None or rank > known[0] or (rank == known[0] and user.id < known[1]):
            best[email] = rank, user.id
    links: dict[int, str | None] = {}
    for contact_id, email in contacts:
        folded = fold_email(email)
        found = best.get(folded) if folded else None
        links[contact_id] = found[1] if found else None
    return links


def _rank(user: LinkableUser) -> tuple[bool, datetime]:
    return user.is_active, user.last_active_at or _NEVER
