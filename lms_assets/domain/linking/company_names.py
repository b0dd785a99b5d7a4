"""Names of companies as they are compared: one spelling for what counts as equal, another for what looks alike.

Nothing here decides a link; group_links does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from anyascii import anyascii

from lms_assets.domain.records.values import folded
from lms_assets.domain.rules import Rules

_SILENT = dict.fromkeys(map(ord, ".'’‘`´ʼ"))  # S.A. is SA, O'Neil is ONeil
_STROKES = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
_ACCENTED_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")
_UNSPACED_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class LegalForms:
    """Legal forms as words: tuples of words at the end or beginning, texts at either end without a blank."""

    suffixes: frozenset[tuple[str, ...]]
    prefixes: frozenset[tuple[str, ...]]
    affixes: tuple[str, ...]
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComparableName:
    """A name in every spelling that comparing needs.

    `key` is equal for equal names; `full_key` keeps the legal form; `words` are of the normalised name; `ascii_words`
    the same in Latin letters, without filler words; `digits` the numbers in order; `unspaced` says that it has letters
    of a script in which one character is a word.
    """

    key: str
    full_key: str
    ascii_words: tuple[str, ...]
    digits: tuple[str, ...]
    unspaced: bool


def normalise_name(name: str, rules: Rules) -> str:
    """The name without case, `ptr_`, accents, punctuation and legal forms (domain rules, group to partner).

    - Width and compatibility forms are unified (NFKC), decimal digits of every script become ASCII.
    - Accents go from Latin, Greek and Cyrillic letters only: a vowel sign or a dakuten makes another letter.
    - Dots and apostrophes vanish, other punctuation and symbols part words; single letters in a row are one word
      (`S. A.` is `sa`). `c#` and `c++` keep their sign.
    - Legal forms go from the end, some from the beginning, as often as there are any, but never all that is left:
      `Limited` stays `limited`. A name without letters and digits is folded and loses its prefix: `ptr_ &` is `&`.

    Applying it twice changes nothing. Two names are equal when `key_of` gives the same for both.
    """
    forms = _forms(rules.legal_suffixes, rules.legal_prefixes, rules.legal_affixes)
    bare = _without_prefix(name, rules.group_name_prefixes)
    return " ".join(_without_forms(_words(bare), forms)) or bare


def key_of(normalised: str) -> str:
    """A normalised name without its blanks, except those between two digits: `data soft` is `datasoft`, but
    `area 5 1` is not `area 51`.
    """
    return re.sub(r"(?<![0-9]) | (?![0-9])", "", normalised)


def comparable(name: str, rules: Rules) -> ComparableName:
    """The name in every spelling that comparing needs."""
    normalised = normalise_name(name, rules)
    fillers = frozenset(rules.filler_words)
    words = _words(anyascii(normalised)) or normalised.split()
    bare = _words(_without_prefix(name, rules.group_name_prefixes))
    return ComparableName(
        key=key_of(normalised),
        full_key=key_of(" ".join(bare)) or key_of(normalised),
        ascii_words=tuple(word for word in words if word not in fillers) or tuple(words),
        digits=tuple(_DIGITS.findall(normalised)),
        unspaced=any(_script_in(character, _UNSPACED_SCRIPTS) for character in normalised),
    )


@lru_cache(maxsize=8)
def _forms(suffixes: tuple[str, ...], prefixes: tuple[str, ...], affixes: tuple[str, ...]) -> LegalForms:
    def as_words(texts: Iterable[str]) -> frozenset[tuple[str, ...]]:
        return frozenset(tuple(words) for text in texts if (words := _words(text)))

    unspaced = {word for text in affixes for word in _words(text)}
    return LegalForms(
        suffixes=as_words(suffixes),
        prefixes=as_words(prefixes),
        affixes=tuple(sorted(unspaced, key=len, reverse=True)),
        marks=("株", "有", "주"),
    )


def _without_prefix(name: str, prefixes: Sequence[str]) -> str:
    text = folded(name)
    stripping = True
    while stripping:
        stripping = False
        for prefix in map(folded, prefixes):
            rest = text.removeprefix(prefix).strip()
            if rest != text and rest:
                text, stripping = rest, True
    return text


@lru_cache(maxsize=4096)
def _script_in(character: str, scripts: tuple[str, ...]) -> bool:
    return unicodedata.name(character, "").startswith(scripts)


def _without_accents(text: str) -> str:
    kept: list[str] = []
    bare = False
    for character in unicodedata.normalize("NFD", text):
        if unicodedata.combining(character):
            if not bare:
                kept.append(character)
        else:
            bare = _script_in(character, _ACCENTED_SCRIPTS)
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def _words(text: str) -> list[str]:
    """Runs of letters, marks and digits; a `#` or `+` that ends one stays with it; single letters are joined."""
    plain = folded(_without_accents(folded(text).translate(_SILENT)).translate(_STROKES))
    pieces: list[str] = []
    for index, character in enumerate(plain):
        category = unicodedata.category(character)
        if category == "Nd":
            pieces.append(str(unicodedata.digit(character)))
        elif category[0] in "LNM":
            pieces.append(character)
        elif category == "Cf":
            continue
        elif character in "#+" and pieces and pieces[-1] != " " and not plain[index + 1 : index + 2].isalnum():
            pieces.append(character)
        else:
            pieces.append(" ")
    return _joined_letters("".join(pieces).split())


def _joined_letters(words: list[str]) -> list[str]:
    joined: list[str] = []
    run_open = False
    for word in words:
        single = len(word) == 1 and word.isalpha() and not _script_in(word, _UNSPACED_SCRIPTS)
        if single and run_open:
            joined[-1] += word
        else:
            joined.append(word)
        run_open = single
    return joined


def _without_forms(words: list[str], forms: LegalForms) -> list[str]:
    longest = max(map(len, forms.suffixes | forms.prefixes), default=0)
    changed = True
    while changed:
        changed = False
        for size in range(min(longest, len(words) - 1), 0, -1):
            if tuple(words[-size:]) in forms.suffixes:
                words, changed = words[:-size], True
                break
            if tuple(words[:size]) in forms.prefixes:
                words, changed = words[size:], True
                break
        if not changed:
            shorter = _without_affix(words, forms)
            words, changed = shorter, shorter != words
    return words


def _without_affix(words: list[str], forms: LegalForms) -> list[str]:
    """Once less of a form that is written without a blank, at the end or at the beginning."""
    if len(words) > 1 and words[-1] in forms.marks:
        return words[:-1]
    if len(words) > 1 and words[0] in forms.marks:
        return words[1:]
    for affix in forms.affixes:
        for position, cut in ((-1, str.removesuffix), (0, str.removeprefix)):
            rest = cut(words[position], affix) if words else ""
            if words and rest != words[position] and (rest or len(words) > 1):
                kept = list(words)
                kept[position] = rest
                return [word for word in kept if word]
    return words
