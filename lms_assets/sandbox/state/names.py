"""Made-up names of companies and people, in several scripts. Plainly fictional: no real company, nobody's name.

Company words are built from syllables so that any two differ in at least four letters: near-twins exist only where
`edge_case` makes them on purpose.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

_FIRST = "bdfgklmnprst"
_VOWELS = "aeiou"
_LAST = "nrlsmtdkvxbz"
_SYLLABLES = [
    _FIRST[i] + vowel + _LAST[(i + step) % len(_LAST)] for i in range(len(_FIRST)) for step, vowel in enumerate(_VOWELS)
]

KINDS = [
    "Systems",
    "Solutions",
    "Consulting",
    "Digital",
    "Software",
    "Technologies",
    "Services",
    "Labs",
    "Automation",
    "Cloud",
    "Data",
    "Networks",
]
LEGAL_SUFFIXES = ("", "", "", " Inc", ", Inc.", " LLC", " Ltd", " Ltd.", " GmbH", " AG")
_ACCENTS = str.maketrans("aeiou", "áéíöü")
_CYRILLIC = str.maketrans("abdefgiklmnoprstuvxz", "абдефгиклмнопрстувхз")

CITIES = (
    ("Larkstad", "Germany"),
    ("Port Ember", "United States"),
    ("Villanova Alta", "Spain"),
    ("Кедроград", "Kazakhstan"),
    ("青葉台", "Japan"),
    ("New Hollow", "Australia"),
    ("Saint-Orme", "France"),
    ("Wadi Noor", "United Arab Emirates"),
)
OWNERS = tuple(
    (name, f"{name.lower().replace(' ', '.')}@pam.example.org")
    for name in (
        "Avery Stone",
        "Blake Rivers",
        "Casey Lake",
        "Devon Marsh",
        "Emery Field",
        "Finley Brook",
        "Harper Dale",
        "Jules Heath",
    )
)

# (given name, family name, how the pair is spelled in an address)
_LATIN_GIVEN = [
    "Ada",
    "Bruno",
    "Clara",
    "Dario",
    "Elin",
    "Fabio",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kaia",
    "Leon",
    "Mira",
    "Nils",
    "Olga",
    "Pablo",
    "Rosa",
    "Stefan",
    "Tessa",
    "Ugo",
    "Vera",
    "Wim",
    "Yara",
    "Zoe",
    "Anouk",
    "Bjarne",
    "Cosima",
    "Dmitri",
    "Esme",
    "Farid",
]
_LATIN_FAMILY = [
    "Alder",
    "Birch",
    "Cedar",
    "Dogwood",
    "Elm",
    "Fennel",
    "Gorse",
    "Hazel",
    "Ivy",
    "Juniper",
    "Kelp",
    "Larch",
    "Maple",
    "Nettle",
    "Oak",
    "Poplar",
    "Quince",
    "Rowan",
    "Sorrel",
    "Thistle",
    "Umber",
    "Vetch",
    "Willow",
    "Yarrow",
    "Zinnia",
    "Bracken",
    "Clover",
    "Damson",
    "Heather",
    "Mallow",
]
_OTHER_PEOPLE = (
    ("Zoë", "Åkerström", "zoe.akerstrom"),
    ("François", "D'Aubépine", "francois.daubepine"),
    ("José", "Muñón", "jose.munon"),
    ("Łucja", "Źdźbło", "lucja.zdzblo"),
    ("花子", "青木", "hanako.aoki"),
    ("Мира", "Кедрова", "mira.kedrova"),
    ("ليلى", "الياسمين", "layla.alyasmin"),
    ("मीरा", "कमल", "mira.kamal"),
    ("Siobhán", "O'Heather", "siobhan.oheather"),
)


def company_words(rng: random.Random, count: int) -> Iterator[str]:
    """`count` different invented words, any two at least four letters apart; at most 216,000.

    The last syllable is the sum of the others, so that two words never differ in one syllable only.
    """
    size = len(_SYLLABLES)
    free = 2 if count <= size**2 else 3
    for number in rng.sample(range(size**free), count):
        places = [number // size**place % size for place in reversed(range(free))]
        yield "".join(_SYLLABLES[place] for place in (*places, sum(places) % size)).capitalize()


def company_name(rng: random.Random, word: str) -> str:
    """An account name around `word`: mostly Latin, some accented, some Cyrillic, some with a Japanese form."""
    kind = rng.choice(KINDS)
    draw = rng.random()
    if draw < 0.05:
        return f"{word.translate(_ACCENTS)} {kind}"
    if draw < 0.08:
        return word.lower().translate(_CYRILLIC).capitalize() + " Консалт"
    if draw < 0.10:
        return f"株式会社{word} {kind}"
    return f"{word} {kind}{rng.choice(LEGAL_SUFFIXES)}"


def group_name(rng: random.Random, account_name: str) -> str:
    """How the LMS spells an account's name: equal after normalising, seldom letter by letter."""
    draw = rng.random()
    if draw < 0.35:
        return account_name
    if draw < 0.60:
        return f"ptr_{account_name}"
    if draw < 0.70:
        return account_name.upper()
    if draw < 0.80:
        return f"  {account_name.replace(' ', '  ')} "
    if draw < 0.90:
        return f"PTR_{_without_suffix(account_name)}"
    return _without_suffix(account_name).lower()


def person_name(rng: random.Random) -> tuple[str, str, str]:
    """(given name, family name, local part); one person in twelve has a name in another script or with accents."""
    draw = rng.getrandbits(30)
    if draw % 12 == 0:
        return _OTHER_PEOPLE[(draw // 12) % len(_OTHER_PEOPLE)]
    given = _LATIN_GIVEN[(draw // 12) % len(_LATIN_GIVEN)]
    family = _LATIN_FAMILY[(draw // 4096) % len(_LATIN_FAMILY)]
    return given, family, f"{given}.{family}".lower()


def _without_suffix(name: str) -> str:
    for suffix in sorted(filter(None, LEGAL_SUFFIXES), key=len, reverse=True):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name
