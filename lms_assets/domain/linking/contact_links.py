"""Which LMS account each contact is, by e-mail."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from lms_assets.domain.records.emails import fold_email
from lms_assets.domain.records.users import LmsUser, StoredUser

LinkableUser = LmsUser | StoredUser
_NEVER = datetime.min.replace(tzinfo=UTC)


def link_contacts(contacts: Iterable[tuple[int, str | None]], users: Iterable[LinkableUser]) -> dict[int, str | None]:
    """For every contact (id, e-mail) the LMS account with its e-mail, or None (domain rules, contact to LMS user).

    E-mails are compared ignoring case and surrounding blanks. Of several accounts: an active one, then the one
    active last (never is earliest), then the lowest id. Accounts that are gone (`deleted`) are not linked. Computed
    from the present alone, so a link made before moves with the e-mail. A contact without e-mail gets None.
    """
    best: dict[str, LinkableUser] = {}
    for user in sorted(users, key=lambda each: each.id):
        email = fold_email(user.email)
        if email is None or user.status == "deleted":
            continue
        known = best.get(email)
        if known is None or _rank(user) > _rank(known):
            best[email] = user
    links: dict[int, str | None] = {}
    for contact_id, email in contacts:
        folded = fold_email(email)
        user_found = best.get(folded) if folded else None
        links[contact_id] = user_found.id if user_found else None
    return links


def _rank(user: LinkableUser) -> tuple[bool, datetime]:
    return user.is_active, user.last_active_at or _NEVER
