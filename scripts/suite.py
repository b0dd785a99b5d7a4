"""The whole suite, as a developer and as CI run it: installs what it needs, checks, tests, tells the truth.

The last line counts every test of every part. What was left out is named above it, each with its reason, and
with ``CI=true`` leaving anything out is a failure. Standard library only: it starts before ``.venv`` exists.
"""

# ruff: noqa: S603, T201 - this script's job is to run tools and to talk on the terminal

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

import prepare
import system_packages

ROOT = prepare.ROOT
BIN = prepare.VENV / "bin"
WORKERS = "2"

LINT: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("lint", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy",)),
    ("import rules", ("lint-imports", "--no-cache", "--no-logo")),
)

PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("fast tests", ("-m", "not slow", "-n", WORKERS)),
    # A module's expensive fixtures (a whole chain, a database) are made once if one worker gets it all.
    ("slow tests", ("-m", "slow", "-n", WORKERS, "--dist", "loadfile")),
)

NO_TESTS = 5
"""pytest's exit code when nothing was selected."""


@dataclass
class Tally:
    """What happened so far: counts of tests, what failed, and what was left out (name and reason)."""

    passed: int = 0
    failed: int = 0
    broken: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def main() -> int:
    """Exit code 0: all passed (and with CI=true nothing was left out); 1: not so; 2: cannot run here."""
    parser = argparse.ArgumentParser(description="Run lint, types, import rules and all tests")
    parser.add_argument("--lint-only", action="store_true")
    lint_only = parser.parse_args().lint_only
    tally = Tally()
    if not lint_only:
        system_packages.install_missing()
    try:
        prepare.prepare(dev=True)
    except prepare.PreparationError as problem:
        print(problem, file=sys.stderr)
        return 2
    for name, command in LINT:
        if _run(name, [str(BIN / command[0]), *command[1:]]) != 0:
            tally.broken.append(name)
    if not lint_only:
        for name, options in PARTS:
            _run_tests(name, options, tally)
    return _conclude(tally, lint_only=lint_only)


def _run(name: str, command: list[str]) -> int:
    print(f"\n== {name}: {Path(command[0]).name} {' '.join(command[1:])}", flush=True)
    started = time.monotonic()
    env = {**os.environ, "PATH": os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])}
    code = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False).returncode
    print(
        f"== {name}: {'ok' if code == 0 else f'exit code {code}'}, {time.monotonic() - started:.0f} s",
        flush=True,
    )
    return code


def _run_tests(name: str, options: tuple[str, ...], tally: Tally) -> None:
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        code = _run(name, [str(BIN / "pytest"), *options, f"--junitxml={report}"])
        if report.exists():
            _count(report, tally)
    if code not in (0, NO_TESTS):
        tally.broken.append(name)


def _count(report: Path, tally: Tally) -> None:
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest wrote it a moment ago
        name = f"{case.get('classname')}::{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            tally.failed += 1
        elif skipped is None:
            tally.passed += 1
        elif skipped.get("type") != "pytest.xfail":
            tally.left_out.append(f"{name}: {skipped.get('message')}")


def _conclude(tally: Tally, *, lint_only: bool) -> int:
    in_ci = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
    print()
    if tally.left_out:
        verdict = "which CI does not allow" if in_ci else "CI=true would fail"
        print(f"Left out ({verdict}):")
        print("\n".join(f"  {line}" for line in sorted(tally.left_out)))
    if tally.broken:
        print(f"Not in order: {', '.join(tally.broken)}")
    if lint_only:
        return 1 if tally.broken else 0
    ran_nothing = tally.passed + tally.failed == 0
    if ran_nothing:
        print("No test ran.")
    counts = f"{tally.passed} passed, {tally.failed} failed"
    print(counts + (f", {len(tally.left_out)} skipped" if tally.left_out else ""), flush=True)
    return 1 if tally.broken or tally.failed or ran_nothing or (in_ci and tally.left_out) else 0


if __name__ == "__main__":
    raise SystemExit(main())
