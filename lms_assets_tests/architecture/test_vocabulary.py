"""One word for one thing, and the field's word where it has one: banned words and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lms_assets.domain.wording import number_of
from lms_assets_tests.architecture import source

INSTEAD = {
    r"fuses?": "deactivation limit",
    r"(red|closed) gates?": "failed blocking check",
    r"departures?": "CRM deactivations",
    r"absences": "missing records",
    r"intake": "listing result",
    r"misfits?": "rejected row",
    r"troubles?": "incident",
    r"well again": "resolved",
    r"watchm[ae]n": "incident monitor",
    r"patience": "grace period",
    r"lanes?": "concurrency group",
    r"(holds?|held) back": "blocked by (name of the check)",
    r"without a word": "without a result (killed, or the machine stopped)",
    r"somebody's wish": "cancelled by a person",
    r"made anew": "recreated",
    r"anew": "again",
    r"comes? right|puts? right|mend(s|ed|ing)?": "is corrected, fix",
    r"took offence": "rejected",
    r"reading tour": "batch",
    r"awkward": "edge case",
    r"worlds?": "vendor state",
    r"rigs?": "harness",
    r"nobody goes": "nobody is deactivated",
    r"all the same": "anyway",
    r"however (steadily|slowly) it drips": "total time limit for one answer",
    r"herd wakes": "avoids a thundering herd",
    r"until the dot leaves": "until the message is complete",
    r"hands? it over": "delivers it, reassigns it",
}
"""Pattern of whole words (case does not matter) to the words that replace it."""
ALLOWED = {"CHANGELOG.md", "lms_assets_tests/architecture/test_vocabulary.py"}
"""The changelog of what was released keeps its words; this file holds the list."""
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^A-Za-z]+")
KINDS = {".py", ".md", ".j2", ".toml", ".yaml", ".example", ".txt"}


def in_words(line: str) -> str:
    """The line with identifiers taken apart, so that `fuse_limit` and `FuseLimit` are found as well."""
    return " ".join(PARTS.findall(line.replace("_", " "))).lower()


def banned_in(line: str) -> list[str]:
    words = re.sub(r" +", " ", in_words(line))
    return [
        f"{found.group(0)!r}: write {instead!r}"
        for pattern, instead in INSTEAD.items()
        if (found := re.search(rf"(?<![a-z])(?:{pattern})(?![a-z])", words))
    ]


def _files() -> list[Path]:
    folders = ("lms_assets", "lms_assets_tests", "scripts", "benchmarks", "docs")
    found = [path for folder in folders for path in (source.ROOT / folder).rglob("*")]
    found += [
        source.ROOT / name for name in ("README.md", ".env.example", "dagster.yaml", "Makefile", "pyproject.toml")
    ]
    return [path for path in found if path.is_file() and (path.suffix in KINDS or path.name == "Makefile")]


def test_banned_words_stand_nowhere():
    found = []
    for path in _files():
        name = path.relative_to(source.ROOT).as_posix()
        if name in ALLOWED:
            continue
        found += [f"{name}: {each}" for each in banned_in(name)]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found += [f"{name}:{number}: {each}" for each in banned_in(line)]
    assert not found, "words that only this house would know:\n" + "\n".join(found)


COUNTED = re.compile(
    r"(?<!of )(?<!all )(?<!most )\{[^{}]+\} (?:(?!(?:by|has|if) )[a-z]+ )?"
    r"(?:partners|people|rows|checks|courses|groups|accounts|files|records|mails|messages|certifications|enrollments"
    r"|removals|fields|runs|changes|keys|members|contacts|incidents|findings|rises?|calls)\b"
)
NEVER_ONE = {
    "lms_assets/console/partner_question.py": "asks which of several",
    "lms_assets/console/installation/preflight_looks.py": "free files of a disk",
    "lms_assets/reports/delivery/deliver.py": "a part of the partners that fell below",
    "lms_assets/reports/rendering/formatting.py": "the help on the words",
    "lms_assets/runs/write_locks.py": "a name, no number",
    "lms_assets/vendors/": "knows no rules, and shows pages and rows of a listing",
}
"""Where a number and a plural stand side by side, and why it is never `1 partners`."""


def test_one_thing_is_never_called_several():
    """`number_of` says 1 partner, 2 partners."""
    found = []
    for path in sorted((source.ROOT / "lms_assets").rglob("*.py")):
        name = path.relative_to(source.ROOT).as_posix()
        if "/sandbox/" not in name and not name.startswith(tuple(NEVER_ONE)):
            lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            found += [f"{name}:{number}: {line.strip()}" for number, line in lines if COUNTED.search(line)]
    assert not found, "\n".join(found)
    assert [number_of(each, "person", "people") for each in (0, 1, 1_234, "no")] == [
        "0 people", "1 person", "1,234 people", "no people"
    ]  # fmt: skip


@pytest.mark.parametrize("line", ["FuseLimit(3)", "the fuse_limit", "class Trouble:", "it was held back", "START_ANEW"])
def test_a_banned_word_is_found_in_prose_and_in_identifiers(line: str):
    assert banned_in(line)


@pytest.mark.parametrize("line", ["refused", "original", "planes", "delegates", "rights", "a gateway", "recommend"])
def test_words_that_only_contain_one_are_allowed(line: str):
    assert not banned_in(line)
