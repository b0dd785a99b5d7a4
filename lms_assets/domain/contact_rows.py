"""Which stored row each contact of the CRM belongs to.

Identity is the Impartner id, then the e-mail address, which is unique in the portal (portal schema, `contacts`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass


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
    found = {impartner_id: holders.get(email) for impartner_id, email in incoming}
    return {each: holder for each, holder in found.items() if holder is not None and holder != each}


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
    """
    partners_of: dict[str, set[int | None]] = {}
    for each in current:
        partners_of.setdefault(each.email, set()).add(each.partner_id if each.partner_is_known else _ANY)
    return {row.id for row in leaving if partners_of.get(row.email, set()) & {partner_of_row.get(row.id), _ANY}}


def surrendered_email(contact_id: int) -> str:
    """The address of a row that had to give up its own: not deliverable, unique, without personal data."""
    return f"replaced-contact-{contact_id}@invalid"
