"""Every list and threshold of the domain rules, with the defaults that stand there, and how to read others from TOML.

Data and its validation only; what the lists mean is said where they are used.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lms_assets.domain import rules_defaults as default


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """A course whose name contains `pattern` (ignoring case) is of `category`; the higher priority decides."""

    category: str
    pattern: str
    priority: int


@dataclass(frozen=True)
class Rules:
    """The configuration of the domain rules. Shares are 0 to 1, scores 0 to 100, months calendar months."""

    partner_tiers: tuple[str, ...] = default.PARTNER_TIERS
    excluded_account_statuses: tuple[str, ...] = ("Inactive",)
    excluded_partner_name_words: tuple[str, ...] = ("nintex",)
    excluded_contact_statuses: tuple[str, ...] = ("Inactive", "Terminated", "Suspended", "Deactivated")
    excluded_email_domains: tuple[str, ...] = ("nintex.com", "bill.com", "safalo.com", "crestan.com")
    excluded_local_part_words: tuple[str, ...] = default.LOCAL_PART_WORDS
    kept_group_names: tuple[str, ...] = ("All Partners",)
    excluded_group_names: tuple[str, ...] = ("All Users",)
    excluded_group_words: tuple[str, ...] = ("admin", "internal", "test")
    group_name_prefixes: tuple[str, ...] = ("ptr_",)
    legal_suffixes: tuple[str, ...] = default.LEGAL_SUFFIXES
    legal_prefixes: tuple[str, ...] = default.LEGAL_PREFIXES
    legal_affixes: tuple[str, ...] = default.LEGAL_AFFIXES
    filler_words: tuple[str, ...] = ("and", "the")
    distinguishing_words: tuple[str, ...] = default.DISTINGUISHING_WORDS
    fuzzy_threshold: float = 92.0
    fuzzy_margin: float = 5.0
    certification_months: int = default.CERTIFICATION_MONTHS
    ledger_months: int = 25
    mass_deactivation_share: float = 0.05
    mass_deactivation_minimum: int = 10
    bad_record_share: float = 0.05
    bad_record_minimum: int = 5
    unread_warning_hours: int = 48
    offboarding_removals_per_day: int = 0
    category_rules: tuple[CategoryRule, ...] = tuple(CategoryRule(*row) for row in default.CATEGORY_RULES)
    gtm_category: str = "go_to_market"
    crm_count_fields: Mapping[str, str] = field(default_factory=lambda: default.CRM_COUNT_FIELDS)
    crm_total_field: str = "Total_NPCU__cf"
    crm_group_name_field: str = "LMS_Group_Name__cf"
    crm_dashboard_field: str = "LMS_Training_Dashboard__cf"
    dashboard_path: str = "partners/{partner_id}/training"
    crm_drift: str = "resend"

    def __post_init__(self) -> None:
        """Take a copy of the mapping and check every value. Raises `ValueError` naming the first wrong key."""
        object.__setattr__(self, "crm_count_fields", dict(self.crm_count_fields))
        for key, (holds, wanted) in _BOUNDS.items():
            if not holds(getattr(self, key)):
                raise ValueError(f"rules: {key} must be {wanted}, not {getattr(self, key)!r}")
        _check_dashboard_path(self.dashboard_path)

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
    def from_toml(cls, text: str) -> Rules:
        """Rules with the keys of `text` instead of the defaults.

        Keys are the fields of this class. Lists are lists of text; `category_rules` is an array of tables with
        `category`, `pattern`, `priority`; `crm_count_fields` a table from category to CRM field. Raises
        `ValueError` naming the key for an unknown one, a wrong type, a value out of bounds, or no valid TOML.
        """
        try:
            return cls.from_mapping(tomllib.loads(text))
        except tomllib.TOMLDecodeError as problem:
            raise ValueError(f"rules: no valid TOML: {problem}") from None

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Rules:
        """Rules with these keys instead of the defaults; see `from_toml`, whose `ValueError`s it raises."""
        known = {each.name: each for each in fields(cls) if each.init}
        values: dict[str, Any] = {}
        for key, value in given.items():
            if key not in known:
                raise ValueError(f"rules: unknown key {key!r}; known are {', '.join(sorted(known))}")
            values[key] = _READERS[str(known[key].type)](key, value)
        return cls(**values)


def _read_text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"rules: {key} must be text that is not blank")
    return value.strip()


def _read_texts(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"rules: {key} must be a list of text")
    return tuple(_read_text(f"{key}[{index}]", each) for index, each in enumerate(value))


def _read_int(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"rules: {key} must be a whole number")
    return value


def _read_number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"rules: {key} must be a number")
    return float(value)


def _read_fields(key: str, value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"rules: {key} must be a table from category to CRM field")
    return {name: _read_text(f"{key}.{name}", each) for name, each in value.items()}


def _read_category_rules(key: str, value: Any) -> tuple[CategoryRule, ...]:
    if not isinstance(value, list):
        raise ValueError(f"rules: {key} must be an array of tables")
    return tuple(_read_category_rule(f"{key}[{index}]", each) for index, each in enumerate(value))


def _read_category_rule(key: str, value: Any) -> CategoryRule:
    if not isinstance(value, dict) or set(value) != {"category", "pattern", "priority"}:
        raise ValueError(f"rules: {key} must have exactly the keys category, pattern, priority")
    return CategoryRule(
        _read_text(f"{key}.category", value["category"]),
        _read_text(f"{key}.pattern", value["pattern"]),
        _read_int(f"{key}.priority", value["priority"]),
    )


def _check_dashboard_path(path: str) -> None:
    try:
        filled = path.format(partner_id=1)
    except (KeyError, IndexError, ValueError, AttributeError):
        filled = path
    if filled == path or filled.startswith("/") or set(filled) & set("\\?#@ {}"):
        raise ValueError("rules: dashboard_path must be a relative path that holds {partner_id} and no ? # @ or blank")


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "str": _read_text,
    "tuple[str, ...]": _read_texts,
    "int": _read_int,
    "float": _read_number,
    "Mapping[str, str]": _read_fields,
    "tuple[CategoryRule, ...]": _read_category_rules,
}

_SCORE = (lambda value: 0 <= value <= 100, "0 to 100")
_SHARE = (lambda value: 0 <= value <= 1, "a share from 0 to 1")
_COUNT = (lambda value: 0 <= value <= 1_000_000, "a number of rows, 0 or more")
_SOME = (lambda value: len(value) > 0, "a list with at least one entry")
_BOUNDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "partner_tiers": _SOME,
    "kept_group_names": _SOME,
    "fuzzy_threshold": (lambda value: 50 <= value <= 100, "50 to 100: below that anything looks alike"),
    "fuzzy_margin": _SCORE,
    "certification_months": (lambda value: 1 <= value <= 1200, "1 to 1200 months"),
    "mass_deactivation_share": _SHARE,
    "mass_deactivation_minimum": _COUNT,
    "bad_record_share": _SHARE,
    "bad_record_minimum": _COUNT,
    "ledger_months": (lambda value: 1 <= value <= 1200, "a number of months from 1"),
    "unread_warning_hours": (lambda value: 1 <= value <= 100_000, "a number of hours from 1"),
    "offboarding_removals_per_day": _COUNT,
    "crm_count_fields": _SOME,
    "crm_drift": (lambda value: value in ("resend", "report"), "resend or report"),
}
