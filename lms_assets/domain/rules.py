"""Every list and threshold of the domain rules, with the defaults that stand there, and how to read others from TOML.

Data and its validation only; what the lists mean is said where they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Literal

from annotated_types import Interval, MinLen

from lms_assets.domain import rules_defaults as default
from lms_assets.domain.checked_values import read_values

Some = Annotated[tuple[str, ...], MinLen(1)]
Share = Annotated[float, Interval(ge=0, le=1)]
Months = Annotated[int, Interval(ge=1, le=1200)]
Rows = Annotated[int, Interval(ge=0, le=1_000_000)]


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """A course whose name contains `pattern` (ignoring case) is of `category`; the higher priority decides."""

    category: str
    pattern: str
    priority: int


@dataclass(frozen=True)
class Rules:
    """The configuration of the domain rules. Shares are 0 to 1, scores 0 to 100, months calendar months."""

    partner_tiers: Some = default.PARTNER_TIERS
    excluded_account_statuses: tuple[str, ...] = ("Inactive",)
    excluded_partner_name_words: tuple[str, ...] = ("nintex",)
    excluded_contact_statuses: tuple[str, ...] = ("Inactive", "Terminated", "Suspended", "Deactivated")
    excluded_email_domains: tuple[str, ...] = ("nintex.com", "bill.com", "safalo.com", "crestan.com")
    excluded_local_part_words: tuple[str, ...] = default.LOCAL_PART_WORDS
    kept_group_names: Some = ("All Partners",)
    excluded_group_names: tuple[str, ...] = ("All Users",)
    excluded_group_words: tuple[str, ...] = ("admin", "internal", "test")
    group_name_prefixes: tuple[str, ...] = ("ptr_",)
    legal_suffixes: tuple[str, ...] = default.LEGAL_SUFFIXES
    legal_prefixes: tuple[str, ...] = default.LEGAL_PREFIXES
    legal_affixes: tuple[str, ...] = default.LEGAL_AFFIXES
    filler_words: tuple[str, ...] = ("and", "the")
    distinguishing_words: tuple[str, ...] = default.DISTINGUISHING_WORDS
    fuzzy_threshold: Annotated[float, Interval(ge=50, le=100)] = 92.0
    fuzzy_margin: Annotated[float, Interval(ge=0, le=100)] = 5.0
    certification_months: Months = default.CERTIFICATION_MONTHS
    ledger_months: Months = 25
    mass_deactivation_share: Share = 0.05
    mass_deactivation_minimum: Rows = 10
    bad_record_share: Share = 0.05
    bad_record_minimum: Rows = 5
    unread_warning_hours: Annotated[int, Interval(ge=1, le=100_000)] = 48
    full_read_nights: Annotated[int, Interval(ge=1, le=default.MOST_NIGHTS)] = 1
    offboarding_removals_per_day: Rows = 0
    category_rules: tuple[CategoryRule, ...] = tuple(CategoryRule(*row) for row in default.CATEGORY_RULES)
    gtm_category: str = "go_to_market"
    crm_count_fields: Annotated[Mapping[str, str], MinLen(1)] = field(default_factory=lambda: default.CRM_COUNT_FIELDS)
    crm_total_field: str = "Total_NPCU__cf"
    crm_group_name_field: str = "LMS_Group_Name__cf"
    crm_dashboard_field: str = "LMS_Training_Dashboard__cf"
    dashboard_path: str = "partners/{partner_id}/training"
    crm_drift: Literal["resend", "report"] = "resend"

    def __post_init__(self) -> None:
        """Take a copy of the mapping, which can be handed to another process."""
        object.__setattr__(self, "crm_count_fields", dict(self.crm_count_fields))

    @property
    def unread_warning_after(self) -> timedelta:
        """After so long unread a person shows in a check: never before the next turn of a full read over nights."""
        turn = (self.full_read_nights + 1) * 24 if self.full_read_nights > 1 else 0
        return timedelta(hours=max(self.unread_warning_hours, turn))

    @property
    def categories(self) -> tuple[str, ...]:
        """The certification categories that have a CRM field, in its order."""
        return tuple(self.crm_count_fields)

    @property
    def crm_fields(self) -> tuple[str, ...]:
        """Every CRM field that a push may write, and no other."""
        return (
            *self.crm_count_fields.values(),
            self.crm_total_field,
            self.crm_group_name_field,
            self.crm_dashboard_field,
        )

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Rules:
        """Rules with these keys instead of the defaults, as a TOML file has them.

        Raises:
            WrongValues: with one line for each mistake.
        """
        return read_values(cls, given, {"dashboard_path": _problem_of_path})


def _problem_of_path(path: str) -> str | None:
    try:
        filled = path.format(partner_id=1)
    except (KeyError, IndexError, ValueError, AttributeError):
        filled = path
    if filled == path or filled.startswith("/") or set(filled) & set("\\?#@ {}"):
        return "must be a relative path that holds {partner_id} and no ? # @ or blank"
    return None
