"""Which Impartner users are contacts, one per e-mail, and whose they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lms_assets.domain.dates import harmless_date
from lms_assets.domain.emails import in_domains, local_words, normalise_email
from lms_assets.domain.findings import Rejected
from lms_assets.domain.partner_rows import name_key
from lms_assets.domain.rules import Rules
from lms_assets.domain.values import (
    BadValue,
    crm_id_of,
    flag_of,
    folded,
    harmless_text,
    kind_of,
    label_of,
    text_of,
    whole_number_of,
)

DUPLICATE_EMAIL = "duplicate_email"
"""What such a contact is called in `sync_failures.entity_type`: it is no record that could not be read."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Contact:
    """A CRM user that counts. `email` is normalised; `account_id`, `account_name` say whose, as the CRM has it."""

    impartner_id: int
    email: str
    first_name: str | None
    last_name: str | None
    title: str | None
    phone: str | None
    account_id: int | None
    account_name: str | None
    crm_last_modified: datetime | None


def contact_from_user(record: Any, rules: Rules) -> Contact | Rejected:
    """The contact in an Impartner `User` (Pascal-case fields), or why it is none. Never raises.

    - Bad: no `Id` above 0; `Email` or `Contact_Status__cf` no text; `IsActive` neither true nor false;
      `AccountId` no whole number: each decides whether or for whom the contact counts.
    - Excluded (domain rules, contacts left out): no valid e-mail; `IsActive` false (missing is not false);
      an excluded status, ignoring case and outer blanks; an excluded domain; an excluded word of the local part.
    - Names, title, phone, account name and `Updated` are harmless: unreadable is None, over-long is cut.
    """
    label = label_of(record, "Id")
    if not isinstance(record, Mapping):
        return Rejected("bad", "contact", label, f"an object expected, got {kind_of(record)}")
    try:
        impartner_id = crm_id_of(record)
        email = normalise_email(text_of(record, "Email", limit=1000))
        status = text_of(record, "Contact_Status__cf", limit=1000)
        is_active = flag_of(record, "IsActive")
        account_id = whole_number_of(record, "AccountId")
    except BadValue as problem:
        return Rejected("bad", "contact", label, str(problem))
    reason = _reason_to_leave_out(email, status, is_active, rules)
    if reason or email is None:
        return Rejected("excluded", "contact", label, reason or "no valid e-mail")
    return Contact(
        impartner_id=impartner_id,
        email=email,
        first_name=harmless_text(record, "FirstName"),
        last_name=harmless_text(record, "LastName"),
        title=harmless_text(record, "Title"),
        phone=harmless_text(record, "Phone", limit=100),
        account_id=account_id or None,
        account_name=harmless_text(record, "AccountName"),
        crm_last_modified=harmless_date(record.get("Updated")),
    )


def _reason_to_leave_out(email: str | None, status: str | None, is_active: bool | None, rules: Rules) -> str | None:
    if email is None:
        return "no valid e-mail"
    if is_active is False:
        return "inactive in the CRM"
    if status and folded(status) in {folded(each) for each in rules.excluded_contact_statuses}:
        return "contact status is excluded"
    if in_domains(email, frozenset(each.strip().lower() for each in rules.excluded_email_domains)):
        return "e-mail domain is excluded"
    if local_words(email) & {each.strip().lower() for each in rules.excluded_local_part_words}:
        return "a word of the e-mail's local part is excluded"
    return None


def partner_of_contact(
    contact: Contact, by_impartner_id: Mapping[int, int], by_folded_name: Mapping[str, int]
) -> int | None:
    """The partner row a contact belongs to (domain rules, contact to partner: by `AccountId`, else by account name).

    The name (keys as `partners.rows_by_name` gives them) is asked only when there is no `AccountId`: an id that is
    not among the partners is an account that was left out, and an equal name would give its people to another.
    """
    if contact.account_id is not None:
        return by_impartner_id.get(contact.account_id)
    return by_folded_name.get(name_key(contact.account_name)) if contact.account_name else None


def choose_per_email(
    contacts: Iterable[Contact], partner_of: Callable[[Contact], int | None]
) -> tuple[tuple[Contact, ...], tuple[Rejected, ...]]:
    """One contact per e-mail, since `contacts.email` is unique, and the others as duplicates.

    The one whose account is a kept partner wins, then the latest `Updated` (none is oldest), then the highest id.
    The order of what is given plays no part; the kept come by Impartner id.
    """

    def rank(contact: Contact) -> tuple[bool, datetime, int]:
        return partner_of(contact) is not None, contact.crm_last_modified or _NEVER, contact.impartner_id

    of_email: dict[str, list[Contact]] = {}
    for contact in contacts:
        of_email.setdefault(contact.email, []).append(contact)
    kept, rejected = [], []
    for same in of_email.values():
        first = max(same, key=rank)
        kept.append(first)
        reason = f"contact {first.impartner_id} has the same e-mail and goes first"
        others = (str(each.impartner_id) for each in same if each.impartner_id != first.impartner_id)
        rejected += [Rejected("duplicate", DUPLICATE_EMAIL, other, reason) for other in others]
    return tuple(sorted(kept, key=lambda each: each.impartner_id)), tuple(rejected)


@dataclass(frozen=True, slots=True)
class AddressHolder:
    """The stored contact that has an address: its row, its CRM id and its partner row."""

    row_id: int
    impartner_id: int | None
    partner_id: int | None


def further_affiliations(
    contacts: Iterable[Contact],
    holders: Mapping[str, AddressHolder],
    partner_of: Callable[[Contact], int | None],
) -> dict[int, tuple[int, int]]:
    """Contacts whose address another contact holds in the portal, at another partner: the person counts for both.

    Args:
        holders: e-mail to the stored contact that has it; e-mails are unique in the portal.
        partner_of: the active partner of a contact.

    Returns:
        CRM id to (row id of the contact that holds the address, partner row id).
    """
    found = {}
    for contact in contacts:
        holder, partner_id = holders.get(contact.email), partner_of(contact)
        if holder is None or partner_id is None or contact.impartner_id == holder.impartner_id:
            continue
        if partner_id != holder.partner_id:
            found[contact.impartner_id] = (holder.row_id, partner_id)
    return found


def is_primary(contact: Contact, primary_user_ids: Mapping[int, int | None]) -> bool:
    """Whether the contact is its account's primary user (`primary_user_ids`: account id to `PrimaryUserId`)."""
    return contact.account_id is not None and primary_user_ids.get(contact.account_id) == contact.impartner_id
