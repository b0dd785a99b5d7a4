"""The audit of dependencies fails on a known hole, and says what it could not ask instead of calling it well."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lms_assets_tests.architecture import source

WELL = {"name": "requests", "version": "2.32.0", "vulns": []}
HOLE = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.5"], "aliases": []}]}
UNKNOWN = {"name": "dagster", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(source.ROOT / "scripts"))
    yield importlib.import_module("audit")
    for name in ("audit", "suite", "prepare", "system_packages"):
        sys.modules.pop(name, None)


def pip_audit(folder: Path, script: str) -> Path:
    """A folder with a pip-audit that does this."""
    program = folder / "pip-audit"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return folder


def answering(folder: Path, *dependencies: dict[str, Any], code: int = 0) -> Path:
    (folder / "answer.json").write_text(json.dumps({"dependencies": dependencies, "fixes": []}))
    return pip_audit(folder, f"cat '{folder}/answer.json'; exit {code}")


def test_a_known_hole_is_named_with_the_version_that_closes_it(audit: Any, tmp_path: Path):
    found = audit.Audit(answering(tmp_path, WELL, HOLE, code=1)).outcome()
    assert found.holes == ["jinja2 3.1.0: PYSEC-1, fixed in 3.1.5"]
    assert found.not_asked == ""


def test_without_a_hole_there_is_nothing_to_say(audit: Any, tmp_path: Path):
    assert audit.Audit(answering(tmp_path, WELL)).outcome() == audit.Outcome()


@pytest.mark.parametrize(
    ("dependencies", "said"),
    [((UNKNOWN,), "knows nothing"), ((WELL, UNKNOWN), "does not know dagster")],
    ids=["nothing", "a part"],
)
def test_packages_that_the_index_does_not_know_are_not_called_well(
    audit: Any, tmp_path: Path, dependencies: tuple[dict[str, Any], ...], said: str
):
    found = audit.Audit(answering(tmp_path, *dependencies)).outcome()
    assert said in found.not_asked
    assert found.holes == []


def test_an_index_that_cannot_be_reached_is_told_with_the_reason(audit: Any, tmp_path: Path):
    program = pip_audit(tmp_path, "echo 'could not connect to the index' >&2; exit 1")
    assert audit.Audit(program).outcome().not_asked == "pip-audit could not ask: could not connect to the index"


def test_an_index_that_never_answers_is_not_waited_for(audit: Any, tmp_path: Path):
    found = audit.Audit(pip_audit(tmp_path, "exec sleep 600")).outcome(wait_seconds=0.1)
    assert found.not_asked.startswith("no answer within")


@pytest.mark.parametrize(("answer", "code"), [((WELL, HOLE), 1), ((UNKNOWN,), 0)], ids=["hole", "not asked"])
def test_only_a_hole_fails_the_suite_even_in_ci(
    audit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    answer: tuple[dict[str, Any], ...], code: int,
):  # fmt: skip
    monkeypatch.setenv("CI", "true")
    suite = importlib.import_module("suite")
    tally = suite.Tally(passed=1)
    suite._note_holes(audit.Audit(answering(tmp_path, *answer)).outcome(), tally)
    assert suite._conclude(tally, lint_only=False) == code
    assert "audit of dependencies" in capsys.readouterr().out
