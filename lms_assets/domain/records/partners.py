"""Which Impartner accounts are partners, and how account names are compared. Which row each gets: partner_rows.

Only the filters listed in the domain rules leave an account out. `IsActive` and `IsTest` of an account are not
among them and have no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lms_assets.domain.records.emails import normalise_email
from lms_assets.domain.records.values import (
    BadValue,
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
