"""Known holes in the installed packages, asked of the package index by pip-audit while the tests run.

A hole fails the suite. An index that cannot be asked does not: without a network nothing is known, and that is said.
Standard library only: it is loaded before ``.venv`` exists.
"""

# ruff: noqa: S603 - this module's job is to run pip-audit

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

IGNORED: dict[str, str] = {}
"""Holes without a fix yet: id (``PYSEC-...``, ``GHSA-...`` or ``CVE-...``) and why it does no harm here."""

WAIT_SECONDS = 120.0
"""How long the answers may take after everything else is done."""


@dataclass
class Outcome:
    """What came of it: holes, one line each, and in one line what could not be asked (empty: everything was)."""

    holes: list[str] = field(default_factory=list)
    not_asked: str = ""


class Audit:
    """pip-audit at work beside everything else, from its making to `outcome`."""

    def __init__(self, programs: Path) -> None:
        ignored = [f"--ignore-vuln={each}" for each in IGNORED]
        options = ["--skip-editable", "--format=json", "--desc=off", "--progress-spinner=off", "--timeout=15"]
        self._process = subprocess.Popen(
            [str(programs / "pip-audit"), *options, *ignored],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def outcome(self, wait_seconds: float = WAIT_SECONDS) -> Outcome:
        """Wait for the end, at most so long, and say what was found."""
        try:
            answer, said = self._process.communicate(timeout=wait_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return Outcome(not_asked=f"no answer within {wait_seconds:.0f} s")
        try:
            dependencies = json.loads(answer)["dependencies"]
        except (ValueError, KeyError, TypeError):
            last = said.strip().splitlines()[-1:]
            return Outcome(not_asked=" ".join(["pip-audit could not ask:", *last]))
        return _read(dependencies)


def _read(dependencies: list[dict[str, object]]) -> Outcome:
    found = Outcome()
    skipped = [str(each["name"]) for each in dependencies if "skip_reason" in each]
    for each in dependencies:
        for hole in each.get("vulns", []):  # type: ignore[attr-defined]
            fixes = ", ".join(hole["fix_versions"]) or "none yet"
            found.holes.append(f"{each['name']} {each.get('version')}: {hole['id']}, fixed in {fixes}")
    if len(skipped) == len(dependencies):
        found.not_asked = "the package index knows nothing of holes, or of these packages"
    elif skipped:
        found.not_asked = f"the package index does not know {', '.join(sorted(skipped))}"
    return found
