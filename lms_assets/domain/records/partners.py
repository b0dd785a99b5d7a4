"""Which Impartner accounts are partners, and which row of `partners` each gets, under which name.

Only the filters listed in the domain rules leave an account out. `IsActive` and `IsTest` of an account are not
among them and have no effect. A row's identity, unique names and swaps: values in, values out; what is written and in
which order is the caller's part, with `name_moves` first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lms_assets.domain.records.emails import normalise_email
from lms_assets.domain.records.values import (
    BadValue,
    Finding,
    Rejected,
    crm_id_of,
    folded,
    harmless_text,
    harmless_whole_number,
    kind_of,
    label_of,
    text_of,
)
from lms_assets.domain.rules import Rules


@dataclass(frozen=True, slots=True)
class Partner:
    """An account that counts; the fields are the columns of `partners` that the CRM fills."""

    account_name: str
    partner_tier: str
    account_status: str
    account_region: str | None
    country: str | None
    account_owner: str | None
    owner_email: str | None
    primary_user_id: int | None
    partner_type: str | None
    website: str | None
    salesforce_id: str | None
    impartner_id: int
    impartner_parent_id: int | None


def partner_from_account(record: Any, rules: Rules, regions: Mapping[int, str]) -> Partner | Rejected:
    """The partner in an Impartner `Account` (Pascal-case fields), or why it is none. Never raises.

    - Bad: no `Id` above 0; `Name` no text or over 255 characters; tier or status no text.
    - Excluded (domain rules, partner tiers kept and partners left out): no name; a name that contains an excluded
      word anywhere; an excluded status; a tier that is blank or not kept. Tier, status and name are compared
      ignoring case and outer blanks; the tier is given in the spelling of the rules.
    - No status is `Active`, the column's default.
    - Everything else is harmless: unreadable is None, over-long is cut; an owner's e-mail that is invalid is None;
      a `CrmId` over 50 characters is None, since half an id identifies somebody else.

    Args:
        regions: the CRM's region id to its name.
    """
    label = label_of(record, "Id")
    if not isinstance(record, Mapping):
        return Rejected("bad", "partner", label, f"an object expected, got {kind_of(record)}")
    try:
        impartner_id = crm_id_of(record)
        name = text_of(record, "Name")
        tier = text_of(record, "Partner_Tier__cf", limit=50)
        status = text_of(record, "Account_Status__cf", limit=50) or "Active"
    except BadValue as problem:
        return Rejected("bad", "partner", label, str(problem))
    kept_tier = {folded(each): each for each in rules.partner_tiers}.get(folded(tier or ""))
    reason = _reason_to_leave_out(name, kept_tier, status, rules)
    if reason or name is None or kept_tier is None:
        return Rejected("excluded", "partner", label, reason or "no name")
    return Partner(
        account_name=name,
        partner_tier=kept_tier,
        account_status=status,
        account_region=_region(record, regions),
        country=harmless_text(record, "MailingCountry", limit=100),
        account_owner=harmless_text(record, "Account_Owner__cf"),
        owner_email=normalise_email(record.get("Account_Owner_Email__cf")),
        primary_user_id=harmless_whole_number(record, "PrimaryUserId") or None,
        partner_type=harmless_text(record, "Partner_Type__cf", limit=100),
        website=harmless_text(record, "Website", limit=500),
        salesforce_id=_salesforce_id(record),
        impartner_id=impartner_id,
        impartner_parent_id=harmless_whole_number(record, "ParentAccountId") or None,
    )


def _reason_to_leave_out(name: str | None, kept_tier: str | None, status: str, rules: Rules) -> str | None:
    if name is None:
        return "no name"
    plain_name = folded(name)
    if any(folded(word) in plain_name for word in rules.excluded_partner_name_words):
        return "the name contains the vendor's own"
    if folded(status) in {folded(each) for each in rules.excluded_account_statuses}:
        return "account status is excluded"
    return None if kept_tier else "tier is blank or not among those kept"


def keeps_partner(name: str, tier: str | None, rules: Rules) -> bool:
    """Whether an account of this name and tier is a partner, as far as these two say."""
    kept_tier = {folded(each): each for each in rules.partner_tiers}.get(folded(tier or ""))
    return kept_tier is not None and _reason_to_leave_out(name, kept_tier, "", rules) is None


def _region(record: Mapping[str, Any], regions: Mapping[int, str]) -> str | None:
    number = harmless_whole_number(record, "RegionId")
    name = regions.get(number) if number is not None else None
    return harmless_text({"Name": name}, "Name", limit=100)


def _salesforce_id(record: Mapping[str, Any]) -> str | None:
    text = harmless_text(record, "CrmId")
    return text if text and len(text) <= 50 else None


NAME_LIMIT = 255

_SALESFORCE_ID = re.compile(r"([A-Za-z0-9]{15})(?:[A-Za-z0-9]{3})?")
# Letters whose stroke is no combining mark, but which collations sort with their plain letter.
_PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ς": "σ"}
)
_KATAKANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_FULL_SIZE_KANA = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")


@dataclass(frozen=True, slots=True)
class StoredPartner:
    """A row of `partners` as it stands."""

    id: int
    account_name: str
    salesforce_id: str | None
    impartner_id: int | None
    is_active: bool


@dataclass(frozen=True, slots=True)
class PartnerAssignment:
    """`rows`: each incoming partner once, with its row (None: a new one) and the name it may have.

    `name_moves`: names to set *before* the rows are written, because somebody else takes the old one now:
    (row id, name). For a row in `rows` it is an interim name, for an inactive row its new one.
    """

    rows: tuple[tuple[int | None, Partner], ...]
    findings: tuple[Finding, ...] = ()
    name_moves: tuple[tuple[int, str], ...] = ()


def salesforce_key(salesforce_id: str | None) -> str | None:
    """The first 15 characters, case-sensitive, of an id of 15 or 18 (domain rules, partner identity); else None."""
    match = _SALESFORCE_ID.fullmatch((salesforce_id or "").strip())
    return match[1] if match else None


def name_key(name: str) -> str:
    """Under which two account names are the same account's: ignoring case, width of characters and extra blanks."""
    return folded(name)


def collation_key(name: str) -> str:
    """Under which a unique index of any MySQL or MariaDB collation may hold two names for one.

    Coarser than each of them: case, accents, kana kind and size, stroked letters, and (utf8mb4_unicode_ci) every
    character beyond the basic plane such as an emoji. Only for uniqueness, never to say who somebody is.
    """
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    kept = [
        "\ufffd" if ord(each) > 0xFFFF else each
        for each in text
        if not unicodedata.combining(each) and unicodedata.category(each) not in ("Cf", "Cc")
    ]
    plain = "".join(kept).translate(_PLAIN_LETTERS).translate(_KATAKANA).translate(_FULL_SIZE_KANA)
    return " ".join(plain.split())


def rows_by_name(stored: Iterable[StoredPartner]) -> dict[str, int]:
    """`name_key` to row id, for `partner_of_contact`: without names that two rows share, since a guess may be wrong.

    A row that got its `(#id)` from `assign_partner_rows` is known under the name that the account has in the CRM.
    """
    found: dict[str, int | None] = {}
    for row in stored:
        mark = _mark(row.impartner_id) if row.impartner_id else ""
        key = name_key(row.account_name.removesuffix(mark) if mark else row.account_name)
        found[key] = None if key in found else row.id
    return {key: row_id for key, row_id in found.items() if row_id is not None and key}


def assign_partner_rows(
    incoming: Sequence[Partner], stored: Sequence[StoredPartner], *, complete: bool = True
) -> PartnerAssignment:
    """Give every incoming partner its row, never one row to two (domain rules, partner identity).

    Rounds, each over what the rounds before left: the Impartner id; the Salesforce id; the name. Within a round
    an active row goes before an inactive one, then the lower id. A row that holds another Impartner id is taken
    over by Salesforce id or name only when `incoming` is a complete listing (the account was recreated; with a
    part of the listing the other may still be there), and by name only if their Salesforce ids do not differ.

    Names: see `_resolve_names`. A second incoming record with an Impartner id already seen is left out and reported.
    """
    partners, findings = _without_repeats(incoming)
    taken: dict[int, int] = {}
    free = {row.id: row for row in sorted(stored, key=lambda row: (not row.is_active, row.id))}
    for of_row, of_partner, same in _rounds(complete):
        index: dict[object, list[StoredPartner]] = {}
        for row in free.values():
            if (key := of_row(row)) is not None:
                index.setdefault(key, []).append(row)
        for partner in sorted(partners, key=lambda each: each.impartner_id):
            if partner.impartner_id in taken or (key := of_partner(partner)) is None:
                continue
            match = next((each for each in index.get(key, ()) if each.id in free and same(each, partner)), None)
            if match is not None:
                taken[partner.impartner_id] = match.id
                del free[match.id]
    matched = [(taken.get(partner.impartner_id), partner) for partner in partners]
    rows, renamed, moves = _resolve_names(matched, stored)
    return PartnerAssignment(tuple(rows), tuple(findings + renamed), tuple(moves))


def rows_of_successors(
    current: Sequence[Partner], stored: Sequence[StoredPartner], leaving: Collection[int]
) -> set[int]:
    """Of rows whose account is gone, those that another account of the CRM is about to take over.

    That is: one with the row's Salesforce id or name as the row holds them now, and without an active row of its own.

    Args:
        leaving: ids of the rows whose account is gone.
    """
    resolved = {row.impartner_id for row in stored if row.is_active and row.id not in leaving}
    successors = [partner for partner in current if partner.impartner_id not in resolved]
    left = [row for row in stored if row.id in leaving]
    return {row_id for row_id, _ in assign_partner_rows(successors, left).rows if row_id is not None}


_Round = tuple[
    "Callable[[StoredPartner], object]", "Callable[[Partner], object]", "Callable[[StoredPartner, Partner], bool]"
]


def _rounds(complete: bool) -> tuple[_Round, ...]:
    def adoptable(row: StoredPartner, partner: Partner) -> bool:
        return complete or row.impartner_id is None

    def adoptable_by_name(row: StoredPartner, partner: Partner) -> bool:
        ours, theirs = salesforce_key(row.salesforce_id), salesforce_key(partner.salesforce_id)
        return adoptable(row, partner) and (ours is None or theirs is None or ours == theirs)

    return (
        (lambda row: row.impartner_id, lambda partner: partner.impartner_id, lambda row, partner: True),
        (lambda row: salesforce_key(row.salesforce_id), lambda each: salesforce_key(each.salesforce_id), adoptable),
        (lambda row: name_key(row.account_name), lambda each: name_key(each.account_name), adoptable_by_name),
    )


def _without_repeats(incoming: Sequence[Partner]) -> tuple[list[Partner], list[Finding]]:
    partners: dict[int, Partner] = {}
    findings = []
    for partner in incoming:
        if partner.impartner_id in partners:
            findings.append(Finding("partner", str(partner.impartner_id), "came twice in one listing"))
        partners.setdefault(partner.impartner_id, partner)
    return list(partners.values()), findings


def _resolve_names(
    matched: list[tuple[int | None, Partner]], stored: Sequence[StoredPartner]
) -> tuple[list[tuple[int | None, Partner]], list[Finding], list[tuple[int, str]]]:
    """Names that are unique under `collation_key`, and the moves that make room for them.

    Of several that want one name the row that has it keeps it, then the lower Impartner id; the others become
    `Name (#<impartner id>)`. An active row that is not part of this assignment keeps its name; an inactive one
    gives it up and becomes `Name (#<impartner id or row id>)`.
    """
    assigned = {row_id for row_id, _ in matched if row_id is not None}
    key_of_row = {row.id: collation_key(row.account_name) for row in stored}
    holders = {key_of_row[row.id]: row for row in stored}
    used = {key_of_row[row.id] for row in stored if row.is_active and row.id not in assigned}

    def claim(entry: tuple[int | None, Partner]) -> tuple[bool, int]:
        row_id, partner = entry
        has_it = row_id is not None and key_of_row[row_id] == collation_key(partner.account_name)
        return (not has_it, partner.impartner_id)

    names: dict[int, str] = {}
    findings = []
    for _, partner in sorted(matched, key=claim):
        name = partner.account_name
        if collation_key(name) in used:
            name = _unused(name, partner.impartner_id, used)
            findings.append(Finding("partner", str(partner.impartner_id), "another account has an equal name"))
        used.add(collation_key(name))
        names[partner.impartner_id] = name
    rows = [(row_id, replace(each, account_name=names[each.impartner_id])) for row_id, each in matched]
    return rows, findings, _moves(rows, holders, used, assigned)


def _moves(
    rows: list[tuple[int | None, Partner]], holders: dict[str, StoredPartner], used: set[str], assigned: set[int]
) -> list[tuple[int, str]]:
    moves = []
    for row_id, partner in rows:
        holder = holders.get(collation_key(partner.account_name))
        if holder is None or holder.id == row_id:
            continue
        if holder.id in assigned:
            moves.append((holder.id, _unused(f"~{holder.id}", holder.id, used | set(holders))))
        else:
            name = _unused(holder.account_name, holder.impartner_id or holder.id, used | set(holders))
            used.add(collation_key(name))
            moves.append((holder.id, name))
    return moves


def _mark(number: int) -> str:
    return f" (#{number})"


def _unused(name: str, number: int, used: set[str]) -> str:
    """`Name (#number)`, cut to fit, or with more marks until nobody has it."""
    mark = _mark(number)
    for extra in range(len(used) + 2):
        tail = mark if not extra else f"{mark[:-1]}-{extra + 1})"
        candidate = name[: NAME_LIMIT - len(tail)].rstrip() + tail
        if collation_key(candidate) not in used:
            return candidate
    raise AssertionError("more names than names in use were all in use")
