"""Every list and threshold of the domain rules, with the defaults that stand there, and how to read others from TOML.

Data and its validation only; what the lists mean is said where they are used.

The legal forms are a list of our own and not the library `cleanco`. That one takes a name which is only a legal form
to nothing. It knows neither 株式会社 nor 有限公司, and strips once and not repeatedly (`Co., Ltd.` leaves `Co.`). Its
two-letter terms (uk, us, et, at, ok, nl, pp) eat the last word of many a name. A wrong link is worse than
a missing one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Any, Literal

from annotated_types import Interval, MinLen

from lms_assets.domain.checked_values import read_values

CERTIFICATION_MONTHS = 24
"""How long a certification is held where the LMS names no expiry."""
SUDDEN_FALL_SHARE = 0.2
"""A figure that falls by more than this share at once is not believed: certifications, NPCU, the first push."""

PARTNER_TIERS = ("Premier", "Premier Plus", "Select", "Certified", "Registered", "Aggregator")
LOCAL_PART_WORDS = ("demo", "sales", "support", "accounts", "test", "renewals", "finance", "payable")

# At the end of a name. Compared after dots are gone and single letters joined: `S.A.`, `S. A.` and `SA` are one.
LEGAL_SUFFIXES = (
    *("inc", "incorporated", "corp", "corporation", "co", "company", "llc", "llp", "lp", "ltd", "limited", "plc"),
    *("pty", "pte", "pvt", "private limited", "unlimited", "gmbh", "ggmbh", "mbh", "ag", "kg", "kgaa", "ohg", "ug"),
    *("gmbh co kg", "gmbh und co kg", "gmbh and co kg", "ug haftungsbeschränkt", "e k", "e u", "gesmbh"),
    *("sa", "sas", "sasu", "sarl", "eurl", "snc", "srl", "srls", "spa", "sl", "slu", "sau", "lda", "ltda", "eireli"),
    *("sa de cv", "sapi de cv", "s de rl de cv", "s de rl", "sab de cv", "bv", "nv", "bvba", "vof", "cvba"),
    *(
        "ab",
        "as",
        "asa",
        "aps",
        "a s",
        "oy",
        "oyj",
        "ehf",
        "hf",
        "sro",
        "doo",
        "dd",
        "kft",
        "zrt",
        "sp. z o.o.",
        "sp z o o",
        "sp zoo",
    ),
    *("sia", "uab", "ou", "eood", "ood", "ead", "ad", "ltd sti", "ltd şti", "anonim şirketi", "limited şirketi"),
    *("sdn bhd", "bhd", "kk", "gk", "kabushiki kaisha", "tbk", "jsc", "ojsc", "cjsc", "pjsc", "fze", "fzco", "fz llc"),
    *("wll", "pllc", "pc", "ооо", "оао", "зао", "пао", "ао", "тоо", "тов", "αε", "επε", "ικε"),
)
# At the beginning of a name, as words of their own.
LEGAL_PREFIXES = ("ооо", "оао", "зао", "пао", "ао", "тоо", "тов", "ooo", "pt", "kabushiki kaisha")
# At either end, also without a blank, for scripts that write none. `(株)` and `㈱` become the word 株.
LEGAL_AFFIXES = (
    *("株式会社", "有限会社", "合同会社", "合資会社", "合名会社", "股份有限公司", "有限责任公司", "有限公司"),
    *("有限責任公司", "주식회사", "유한회사"),
)

# Two names that differ in one of these are two companies, however near their spelling.
DISTINGUISHING_WORDS = (
    *("north", "south", "east", "west", "northern", "southern", "eastern", "western", "central", "northeast"),
    *("northwest", "southeast", "southwest", "upper", "lower", "inner", "outer", "nord", "sud", "süd", "ost", "est"),
    *("ouest", "norte", "sur", "sul", "este", "oeste", "nordic", "baltic", "emea", "apac", "anz", "latam", "dach"),
    *("europe", "africa", "asia", "america", "americas", "oceania", "pacific", "atlantic"),
    *("iberia", "benelux", "mena", "gcc", "uk", "us", "usa", "uae", "eu", "ca", "au", "nz", "za"),
    *("argentina", "australia", "austria", "belarus", "belgium", "brazil", "brasil", "bulgaria", "canada", "chile"),
    *("china", "colombia", "croatia", "cyprus", "czechia", "denmark", "deutschland", "dominica", "egypt", "england"),
    *("espana", "españa", "estonia", "finland", "france", "georgia", "germany", "ghana", "greece", "guinea", "holland"),
    *("hungary", "iceland", "india", "indiana", "indonesia", "iran", "iraq", "ireland", "israel", "italia", "italy"),
    *("jamaica", "japan", "jordan", "kenya", "korea", "kuwait", "latvia", "lebanon", "lithuania", "malawi", "malaysia"),
    *("mali", "malta", "mauritania", "mauritius", "mexico", "monaco", "morocco", "netherlands", "niger", "nigeria"),
    *("norway", "oman", "osterreich", "österreich", "pakistan", "panama", "paraguay", "peru", "philippines", "poland"),
    *("polska", "portugal", "qatar", "romania", "russia", "schweiz", "scotland", "serbia", "singapore", "slovakia"),
    *("slovenia", "spain", "sweden", "suisse", "switzerland", "taiwan", "tanzania", "thailand", "tunisia", "turkey"),
    *("uganda", "ukraine", "uruguay", "vietnam", "wales", "zambia", "zimbabwe", "one", "two", "three", "four"),
    *("first", "second", "third", "ii", "iii", "iv", "vi", "vii", "viii", "ix"),
)

CATEGORY_RULES = (
    ("nintex_k2", "K2", 100),
    ("nintex_salesforce", "Salesforce", 90),
    *(("go_to_market", p, 80) for p in ("Go to Market", "GTM", "Sales Professional", "Sales Enablement")),
    *(
        ("nintex_ce", pattern, 50)
        for pattern in (
            *("Automation Cloud", "Process Manager", "Promapp", "RPA", "eSign", "Apps", "Office 365", "SharePoint"),
            *("Xtensions", "Process Discovery"),
        )
    ),
)

CRM_COUNT_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "nintex_ce": "Nintex_CE_Certifications__cf",
        "nintex_k2": "Nintex_K2_Certifications__cf",
        "nintex_salesforce": "Nintex_for_Salesforce_Certifications__cf",
        "go_to_market": "Nintex_GTM_Certifications__cf",
    }
)

MOST_NIGHTS = 31
"""Over so many nights the full read of transcripts can be spread."""


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

    partner_tiers: Some = PARTNER_TIERS
    excluded_account_statuses: tuple[str, ...] = ("Inactive",)
    excluded_partner_name_words: tuple[str, ...] = ("nintex",)
    excluded_contact_statuses: tuple[str, ...] = ("Inactive", "Terminated", "Suspended", "Deactivated")
    excluded_email_domains: tuple[str, ...] = ("nintex.com", "bill.com", "safalo.com", "crestan.com")
    excluded_local_part_words: tuple[str, ...] = LOCAL_PART_WORDS
    kept_group_names: Some = ("All Partners",)
    excluded_group_names: tuple[str, ...] = ("All Users",)
    excluded_group_words: tuple[str, ...] = ("admin", "internal", "test")
    group_name_prefixes: tuple[str, ...] = ("ptr_",)
    legal_suffixes: tuple[str, ...] = LEGAL_SUFFIXES
    legal_prefixes: tuple[str, ...] = LEGAL_PREFIXES
    legal_affixes: tuple[str, ...] = LEGAL_AFFIXES
    filler_words: tuple[str, ...] = ("and", "the")
    distinguishing_words: tuple[str, ...] = DISTINGUISHING_WORDS
    fuzzy_threshold: Annotated[float, Interval(ge=50, le=100)] = 92.0
    fuzzy_margin: Annotated[float, Interval(ge=0, le=100)] = 5.0
    certification_months: Months = CERTIFICATION_MONTHS
    ledger_months: Months = 25
    mass_deactivation_share: Share = 0.05
    mass_deactivation_minimum: Rows = 10
    bad_record_share: Share = 0.05
    bad_record_minimum: Rows = 5
    unread_warning_hours: Annotated[int, Interval(ge=1, le=100_000)] = 48
    full_read_nights: Annotated[int, Interval(ge=1, le=MOST_NIGHTS)] = 1
    offboarding_removals_per_day: Rows = 0
    category_rules: tuple[CategoryRule, ...] = tuple(CategoryRule(*row) for row in CATEGORY_RULES)
    gtm_category: str = "go_to_market"
    crm_count_fields: Annotated[Mapping[str, str], MinLen(1)] = field(default_factory=lambda: CRM_COUNT_FIELDS)
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
