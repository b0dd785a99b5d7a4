"""Which of the vendors' records count, read off the table "Which records count" of the domain rules.

Plain loops over the sandbox's raw data; shares no code with the product. Where the rules leave a choice, the reading
taken here is marked "Reading:".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

KEPT_TIERS = ["premier", "premier plus", "select", "certified", "registered", "aggregator"]
VENDOR_WORDS = ["nintex"]
BAD_CONTACT_STATUSES = ["inactive", "terminated", "suspended", "deactivated"]
BAD_DOMAINS = ["nintex.com", "bill.com", "safalo.com", "crestan.com"]
BAD_LOCAL_WORDS = ["demo", "sales", "support", "accounts", "test", "renewals", "finance", "payable"]
BAD_GROUP_WORDS = ["admin", "internal", "test"]


def trimmed(text: Any) -> str:
    """Text without surrounding blanks, in lower case; "" for no text."""
    return text.strip().casefold() if isinstance(text, str) else ""


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, in lower case. Reading: `sales2` is one word and is not `sales`."""
    cleaned = ""
    for character in unicodedata.normalize("NFKC", text).casefold():
        cleaned += character if character.isalnum() else " "
    return cleaned.split()


def partner_is_kept(account: Row) -> bool:
    """Tier in the list, status not Inactive, a name, and not the vendor's own.

    Reading: `IsActive` and `IsTest` of an account are not named by the rules and do not matter.
    Reading: tier and status are compared trimmed and ignoring case.
    """
    name = trimmed(account["name"])
    if name == "":
        return False
    for word in VENDOR_WORDS:
        if word in name:
            return False
    if trimmed(account["account_status"]) == "inactive":
        return False
    return trimmed(account["partner_tier"]) in KEPT_TIERS


def email_of(row: Row) -> str | None:
    """The address, trimmed and in lower case; None when it cannot be one."""
    address = trimmed(row["email"])
    if address.count("@") != 1 or any(character.isspace() for character in address):
        return None
    local, domain = address.split("@")
    if local == "" or "." not in domain or "" in domain.split("."):
        return None
    return address


def contact_is_kept(user: Row) -> bool:
    """A valid e-mail of a person, not of a function or of the vendor, and active in both senses.

    Reading: only an explicit `IsActive` false counts as not active. Only the domain itself is excluded, not what
    is under it.
    """
    address = email_of(user)
    if address is None:
        return False
    if user["is_active"] is False:
        return False
    if trimmed(user["contact_status"]) in BAD_CONTACT_STATUSES:
        return False
    local, domain = address.split("@")
    if domain in BAD_DOMAINS:
        return False
    return not any(word in BAD_LOCAL_WORDS for word in words_of(local))


def group_is_kept(group: Row) -> bool:
    """`All Users` and groups with the word admin, internal or test are left out; `All Partners` stays."""
    if trimmed(group["name"]) == "all partners":
        return True
    if trimmed(group["name"]) == "all users":
        return False
    return not any(word in BAD_GROUP_WORDS for word in words_of(group["name"] or ""))


def person_is_active(person: Row) -> bool:
    """`disabled` alone decides, with or without a date (rules, partner users)."""
    return person["disabled"] is not True


def partner_of_contact(user: Row, partners: Mapping[int, Row]) -> int | None:
    """By account id, else by account name ignoring case.

    Reading: a contact with an account id belongs to that account and to no other one of the same name, even when
    that account is not kept. Reading: a name that two kept partners bear links to neither.
    """
    if user["account_id"] is not None:
        return user["account_id"] if user["account_id"] in partners else None
    name = trimmed(user["account_name"])
    if name == "":
        return None
    found = []
    for partner_id, account in partners.items():
        if trimmed(account["name"]) == name:
            found.append(partner_id)
    return found[0] if len(found) == 1 else None


def one_contact_per_email(users: list[Row], partners: Mapping[int, Row]) -> list[Row]:
    """The portal's contacts have unique e-mails, so of several kept users with one address one has the row.

    The person counts for the partners of all of them.

    Reading: the one with a kept partner, then the one updated last, then the highest id.
    """
    best: dict[str, Row] = {}
    for user in users:
        address = email_of(user)
        assert address is not None
        rank = (partner_of_contact(user, partners) is not None, user["updated"] or "", user["id"])
        if address in best:
            other = best[address]
            other_rank = (partner_of_contact(other, partners) is not None, other["updated"] or "", other["id"])
            if other_rank > rank:
                continue
        best[address] = user
    return list(best.values())


def person_of_contact(user: Row, people: list[Row]) -> str | None:
    """By e-mail; of several accounts the active one, then the one active last, then the lowest id."""
    address = email_of(user)
    candidates = []
    for person in people:
        if trimmed(person["email"]) == address:
            candidates.append(person)
    if not candidates:
        return None
    active = [person for person in candidates if person_is_active(person)]
    candidates = active or candidates
    latest = max(person["last_active_at"] or "" for person in candidates)
    candidates = [person for person in candidates if (person["last_active_at"] or "") == latest]
    return min(person["id"] for person in candidates)
