"""Which stored row each contact of the CRM belongs to.

Identity is the Impartner id, then the e-mail address, which is unique in the portal (portal schema, `contacts`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern
from typing import Any

from lms_assets.domain.records.dates import harmless_date
from lms_assets.domain.records.emails import in_domains, local_words, normalise_email
from lms_assets.domain.records.partners import name_key
from lms_assets.domain.records.values import (
    BadValue,
    Rejected,
    crm_id_of,
    flag_of,
    folded,
    harmless_text,
    kind_of,
    label_of,
    text_of,
    whole_number_of,
)
from lms_assets.domain.rules import Rules


@dataclass(frozen=True, slots=True)
class StoredContact:
    """What identifies a stored contact; `email` is lower case."""

    id: int
    email: str
    impartner_id: int | None
    is_active: bool


@dataclass(frozen=True)
class ContactAssignment:
    """`rows[i]` is the stored id for the i-th incoming contact, None for a new row.

    `displaced` are stored rows that nobody claims though an incoming contact needs their address: they must give it
    up before the incoming rows are written.
    """

    rows: tuple[int | None, ...]
    displaced: tuple[int, ...]


def contacts_that_wait(
    incoming: Iterable[tuple[int, str]], stored: Iterable[StoredContact], undecided: Collection[int]
) -> dict[int, int]:
    """Incoming contacts whose address is on an active row of another contact of whom nothing was learnt this time.

    They have to wait: a row keeps its address until its contact was read, or is confirmed to be gone.

    Args:
        incoming: (Impartner id, e-mail).
        undecided: Impartner ids of stored contacts that could not be read, or that an incomplete listing lacks.

    Returns:
        The Impartner id of each contact that waits, to the one for whom it waits.
    """
    holders = {row.email: row.impartner_id for row in stored if row.is_active and row.impartner_id in undecided}
    found = ((impartner_id, holders.get(email)) for impartner_id, email in incoming)
    return {each: holder for each, holder in found if holder is not None and holder != each}


@dataclass(frozen=True, slots=True)
class Successor:
    """A contact as the CRM has it now: its e-mail, and its partner's row id where that is known (None: nobody's)."""

    email: str
    partner_id: int | None
    partner_is_known: bool = True


_ANY = -1


def assign_contact_rows(incoming: Sequence[tuple[int, str]], stored: Iterable[StoredContact]) -> ContactAssignment:
    """Assign each incoming (Impartner id, e-mail) to a stored row, no row to two of them.

    The incoming ids and addresses are each unique. An id that is stored keeps its row whatever its address; a stored
    row without a claim by id goes to the contact with its address.
    """
    stored = list(stored)
    by_id: dict[int, StoredContact] = {}
    for contact in sorted(stored, key=lambda row: (row.is_active, -row.id)):
        if contact.impartner_id is not None:
            by_id[contact.impartner_id] = contact
    rows: list[int | None] = [None] * len(incoming)
    claimed: set[int] = set()
    for position, (impartner_id, _) in enumerate(incoming):
        match = by_id.get(impartner_id)
        if match is not None:
            rows[position] = match.id
            claimed.add(match.id)
    by_email = {contact.email: contact for contact in stored if contact.id not in claimed}
    _assign_by_email(incoming, rows, by_email, claimed)
    wanted = {email for _, email in incoming}
    displaced = tuple(sorted(row.id for row in stored if row.id not in claimed and row.email in wanted))
    return ContactAssignment(tuple(rows), displaced)


def _assign_by_email(
    incoming: Sequence[tuple[int, str]],
    rows: list[int | None],
    by_email: Mapping[str, StoredContact],
    claimed: set[int],
) -> None:
    for position, (_, email) in enumerate(incoming):
        match = by_email.get(email)
        if rows[position] is None and match is not None and match.id not in claimed:
            rows[position] = match.id
            claimed.add(match.id)


def rows_with_successor(
    leaving: Iterable[StoredContact], partner_of_row: Mapping[int, int | None], current: Iterable[Successor]
) -> set[int]:
    """Of rows whose CRM contact is gone, those whose e-mail another contact of the same partner has now.

    What counts is what the row holds now, not which row that other contact had before: a contact whose address was
    taken over by the one that is gone has a row of its own, without the address.

    Args:
        partner_of_row: contact row id to partner row id.
        current: every contact that counts now.
    """
    partners_of: dict[str, set[int | None]] = {}
    for each in current:
        partners_of.setdefault(each.email, set()).add(each.partner_id if each.partner_is_known else _ANY)
    return {row.id for row in leaving if partners_of.get(row.email, set()) & {partner_of_row.get(row.id), _ANY}}


def surrendered_email(contact_id: int) -> str:
    """The address of a row that had to give up its own: not deliverable, unique, without personal data."""
    return f"replaced-contact-{contact_id}@invalid"


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
        first_name=_shared(harmless_text(record, "FirstName")),
        last_name=harmless_text(record, "LastName"),
        title=_shared(harmless_text(record, "Title")),
        phone=harmless_text(record, "Phone", limit=100),
        account_id=account_id or None,
        account_name=_shared(harmless_text(record, "AccountName")),
        crm_last_modified=harmless_date(record.get("Updated")),
    )


def _reason_to_leave_out(email: str | None, status: str | None, is_active: bool | None, rules: Rules) -> str | None:
    if email is None:
        return "no valid e-mail"
    if is_active is False:
        return "inactive in the CRM"
    if status and _folded(status) & _folded(*rules.excluded_contact_statuses):
        return "contact status is excluded"
    if in_domains(email, _lower(*rules.excluded_email_domains)):
        return "e-mail domain is excluded"
    if local_words(email) & _lower(*rules.excluded_local_part_words):
        return "a word of the e-mail's local part is excluded"
    return None


def _shared(text: str | None) -> str | None:
    """The same text, kept once in memory for all who have it."""
    return text if text is None else intern(text)


# The same few are asked for with every contact.
@lru_cache(maxsize=1000)
def _folded(*texts: str) -> frozenset[str]:
    return frozenset(map(folded, texts))


@lru_cache(maxsize=10)
def _lower(*texts: str) -> frozenset[str]:
    return frozenset(each.strip().lower() for each in texts)


def keeps_address(email: str, rules: Rules) -> bool:
    """Whether a contact with this address is one, as far as the address says."""
    return _reason_to_leave_out(email, None, None, rules) is None


def partner_of_contact(
    contact: Contact, by_impartner_id: Mapping[int, int], by_folded_name: Mapping[str, int]
) -> int | None:
    """The partner row a contact belongs to (domain rules, contact to partner: by `AccountId`, else by account name).

    The name (keys as `partners.rows_by_name` gives them) is asked only when there is no `AccountId`: an id that is
    not among the partners is an account that was left out, and an equal name would give its people to another.

    Args:
        by_impartner_id: CRM id of a kept account to partner row id.
        by_folded_name: its folded name to partner row id.
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

    Args:
        partner_of: the partner row of a contact; None: it belongs to no kept partner.
    """

    def rank(contact: Contact) -> tuple[bool, datetime, int]:
        return partner_of(contact) is not None, contact.crm_last_modified or _NEVER, contact.impartner_id

    first: dict[str, Contact] = {}
    others: list[Contact] = []
    for contact in contacts:
        known = first.setdefault(contact.email, contact)
        if known is not contact:
            goes_first = rank(contact) > rank(known)
            first[contact.email] = contact if goes_first else known
            others.append(known if goes_first else contact)
    rejected = []
    for other in others:
        winner = first[other.email].impartner_id
        if other.impartner_id != winner:
            reason = f"contact {winner} has the same e-mail and goes first"
            rejected.append(Rejected("duplicate", DUPLICATE_EMAIL, str(other.impartner_id), reason))
    return tuple(sorted(first.values(), key=lambda each: each.impartner_id)), tuple(rejected)


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
