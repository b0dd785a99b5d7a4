"""How numbers of things are said, and texts of others shown (vendors, databases, names of records).

Where markup would be obeyed (chats, mails, the UI) there is no common way to quote, so the signs that begin a link, a
picture, a mention or HTML are broken with a space of no width, or replaced by others that look alike. Ordinary names
and sentences stay as they are.
"""

from __future__ import annotations

import re


def number_of(number: object, one: str, several: str | None = None) -> str:
    """`1 partner`, `1,234 partners`, `1 person`, `2 people`; `several` where it is not `one` with an s.

    A text that stands for an unknown number is a plural.
    """
    shown = f"{number:,}" if isinstance(number, int) else str(number)
    return f"{shown} {one if number == 1 else several or one + 's'}"


_GAP = "\N{ZERO WIDTH SPACE}"
_JOINERS = frozenset("\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}")
_LOOK_ALIKE = str.maketrans({"<": "‹", ">": "›", "`": "'", "*": "∗"})
# Mentions; links; pictures and links with a text; what Discord hides or strikes out.
_STARTS = re.compile(r"@(?=[^\s\u200b])|:(?=//)|\b[wW]{3}(?=\.)|!(?=\[)|\](?=[(\[:])|\|(?=\|)|~(?=~)")
_MARKDOWN = re.compile(r"([\\_{}\[\]()#+\-.!|~&])")


def visible(text: object) -> str:
    """The text without control sequences, which a terminal would obey; line breaks stay."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in str(text))


def as_text(text: object) -> str:
    """One line that chats, mail programs and browsers show as it is: no link, picture, mention, HTML or formatting."""
    shown = "".join(char if char.isprintable() or char in _JOINERS else " " for char in str(text))
    return unlinked(" ".join(shown.split()).translate(_LOOK_ALIKE))


def unlinked(text: str) -> str:
    """The text without what programs make a link or a mention of by themselves; for texts that are escaped already."""
    return _STARTS.sub(lambda match: match.group() + _GAP, text)


def as_markdown(text: object) -> str:
    """Markdown that shows the text as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", as_text(text))
