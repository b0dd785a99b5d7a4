"""What reports are made from, as plain values: who reads them, and the partners.

Values only; they are read by the warehouse and turned into figures by the reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Manager:
    """A partner account manager with reports enabled (portal schema, `partner_managers`).

    `owner_name` equals the partners' `account_owner`; `frequency` is `daily`, `weekly` or `monthly`.
    """

    id: int
    owner_name: str
    email: str
    region: str | None = None
    frequency: str = "weekly"
    last_report_sent: datetime | None = None


@dataclass(frozen=True, slots=True)
class Executive:
    """An active recipient of the executive report (portal schema, `executive_report_recipients`)."""

    id: int
    email: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class PartnerFacts:
    """An active partner as it is stored.

    `stored_npcu` and `stored_by_category` are the counts that the portal and the CRM show, `counted_at` (UTC) when
    they were counted. `contacts_not_in_lms` are active contacts without an active LMS account; `people_in_no_group`
    active LMS people of the partner's contacts who are in none of the partner's groups.
    """

    id: int
    name: str
    tier: str | None = None
    region: str | None = None
    owner: str | None = None
    stored_npcu: int = 0
    stored_by_category: Mapping[str, int] = field(default_factory=dict)
    counted_at: datetime | None = None
    leads_last_30_days: int = 0
    contacts_not_in_lms: int = 0
    people_in_no_group: int = 0
