"""The longer default lists of the rules. Data only.

The legal forms are a list of our own and not the library `cleanco`: that one takes a name which is only a legal
form to nothing, knows neither 株式会社 nor 有限公司, strips once and not repeatedly (`Co., Ltd.` leaves `Co.`),
and its two-letter terms (uk, us, et, at, ok, nl, pp) eat the last word of many a name. A wrong link is worse than
a missing one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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
