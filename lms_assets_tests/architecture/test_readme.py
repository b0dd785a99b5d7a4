"""Every command that a text tells people to type exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lms_assets_tests.architecture import source

TEXTS = sorted([source.ROOT / "README.md", *(source.ROOT / "docs").rglob("*.md")])

# Fixed names: they work, whatever else there is.
COMMANDS = {"run", "preflight", "db", "sandbox", "status"}
TARGETS = {"demo", "test", "test-quick", "test-all", "coverage"}


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (source.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def _commands() -> set[str]:
    typer = pytest.importorskip("typer")
    app = pytest.importorskip("lms_assets.cli").app
    return set(typer.main.get_command(app).commands)


def _code(text: Path) -> str:
    """What stands in code blocks and between backticks."""
    content = text.read_text(encoding="utf-8")
    found = re.findall(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", content, re.DOTALL)
    return "\n".join(block or span for block, span in found)


def test_make_has_every_target_that_is_promised_or_told():
    told = {word for text in TEXTS for word in re.findall(r"\bmake ([a-z-]+)", _code(text))}
    assert (told | TARGETS) <= _targets()


def test_the_command_line_has_every_command_that_is_promised_or_told():
    told = {word for text in TEXTS for word in re.findall(r"\blms-assets ([a-z]+)", _code(text))}
    assert (told | COMMANDS) <= _commands()


def test_every_link_inside_the_texts_leads_somewhere():
    dead = []
    for text in TEXTS:
        for target in re.findall(r"\]\(([^)#\s]+)", text.read_text(encoding="utf-8")):
            # The reference pages are made when the site is built: test_documentation.py checks links to them.
            if "://" not in target and "reference/" not in target and not (text.parent / target).exists():
                dead.append(f"{text.relative_to(source.ROOT)}: {target}")
    assert not dead, "\n".join(dead)


def test_every_file_that_the_texts_name_exists():
    """A page that points to a file that moved costs its reader more than no page."""
    named = re.compile(r"(?<![\w/])(?:lms_assets|lms_assets_tests|scripts|benchmarks)/[\w./-]*\w/?")
    missing = [
        f"{text.relative_to(source.ROOT)}: {name}"
        for text in TEXTS
        for name in named.findall(text.read_text("utf-8"))
        if not (source.ROOT / name).exists()
    ]
    assert not missing, "\n".join(missing)
