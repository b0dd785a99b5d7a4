"""Which Impartner leads belong to partners, and which are over. Source: domain rules, deletions and schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lms_assets.domain.records.dates import harmless_date
from lms_assets.domain.records.emails import normalise_email
from lms_assets.domain.records.values import (
    BadValue,
    Rejected,
    crm_id_of,
    flag_of,
    harmless_text,
    harmless_whole_number,
    kind_of,
    label_of,
    whole_number_of,
)

DESCRIPTION_LIMIT = 60_000  # portal schema: a text column, 65,535 bytes on MySQL
CONVERTED, WITHOUT_PARTNER = "converted", "without a partner"


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead of a partner; the fields are columns of `leads`. Instants are UTC."""

    impartner_id: int
    impartner_partner_id: int | None
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    title: str | None
    status_id: int | None
    status_name: str | None
    source: str | None
    description: str | None
    crm_id: str | None
    lead_created_at: datetime | None
    lead_updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class LeadRecord:
    """A lead as the CRM has it, and why it is no longer a partner's lead: None while it is one."""

    lead: Lead
    over: str | None = None


def lead_from_record(record: Any, statuses: Mapping[int, str]) -> LeadRecord | Rejected:
    """The lead in an Impartner `Lead` (Pascal-case fields). Never raises.

    - Bad: no `Id` above 0; `PartnerAccountId` no id; `IsConverted` neither true nor false. They decide whose it is.
    - Over: converted, or without a partner. Such a lead is not taken up; a stored one is removed as soon as that was
      read (domain rules, deletions: lead).
    - Everything else is harmless: unreadable is None, over-long is cut.

    Args:
        statuses: the CRM's status id to its name.
    """
    label = label_of(record, "Id")
    if not isinstance(record, Mapping):
        return Rejected("bad", "lead", label, f"an object expected, got {kind_of(record)}")
    try:
        lead_id = crm_id_of(record)
        partner = whole_number_of(record, "PartnerAccountId") or None
        converted = flag_of(record, "IsConverted") or False
    except BadValue as problem:
        return Rejected("bad", "lead", label, str(problem))
    status_id = harmless_whole_number(record, "StatusId")
    lead = Lead(
        impartner_id=lead_id,
        impartner_partner_id=partner,
        first_name=harmless_text(record, "FirstName"),
        last_name=harmless_text(record, "LastName"),
        email=normalise_email(record.get("Email")),
        phone=harmless_text(record, "Phone", limit=100),
        title=harmless_text(record, "Title"),
        status_id=status_id,
        status_name=status_name_of(statuses.get(status_id or 0)),
        source=harmless_text(record, "Source"),
        description=harmless_text(record, "Description", limit=DESCRIPTION_LIMIT // 4),
        crm_id=harmless_text(record, "CrmId", limit=50),
        lead_created_at=harmless_date(record.get("Created")),
        lead_updated_at=harmless_date(record.get("Updated")),
    )
    return LeadRecord(lead, CONVERTED if converted else (None if partner else WITHOUT_PARTNER))


def status_name_of(name: str | None) -> str | None:
    """The name of a lead's status as it is stored."""
    return harmless_text({"Name": name}, "Name", limit=100)
