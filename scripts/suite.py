"""The suite, as a developer and as CI run it: installs what it needs, checks, tests, tells the truth.

The last line counts every test that ran. What was left out is named above it, each with its reason, and with
``CI=true`` leaving anything out is a failure. How many tests a smaller extent is without is said too.
Standard library only: it starts before ``.venv`` exists.
"""

# ruff: noqa: S603, T201 - this script's job is to run tools and to talk on the terminal

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import audit
import prepare
import system_packages

ROOT = prepare.ROOT
BIN = prepare.VENV / "bin"
WORKERS = str(min(8, 1 + (os.cpu_count() or 2)))
"""One more than cores, since tests of daemons and of killed runs wait for others most of the time.

A worker with a MariaDB of its own takes half a gigabyte, hence not any number of them.
"""

LINT: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("lint", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy",)),
    ("import rules", ("lint-imports", "--no-cache", "--no-logo")),
)

WHOLE = "lms_assets_tests"
QUICK = tuple(f"{WHOLE}/{room}" for room in ("architecture", "domain", "vendors", "warehouse"))
# A module's expensive fixtures (a whole chain, a database) are made once if one worker gets it all. The longest
# modules come first (lms_assets_tests/conftest.py), so that no worker is left alone with one at the end.
SPREAD = ("-n", WORKERS, "--dist", "loadfile", "--no-loadscope-reorder")
COVERAGE = ("--cov", "--cov-report=term:skip-covered", "--cov-report=html")
EXTENTS: dict[str, tuple[str, ...]] = {
    "lint": (),
    "quick": (*QUICK, *SPREAD, "-m", "not slow and not long", "-k", "not mariadb and not adopt"),
    "test": (WHOLE, *SPREAD, "-m", "not long"),
    "all": (WHOLE, *SPREAD),
    "coverage": (WHOLE, *SPREAD, "-m", "not long", *COVERAGE),
}
"""What pytest is told for each extent. `long` marks the whole of what `test` tries by a fixed sample."""
MORE = {
    "quick": "This was the quick part; make test has a test of every promise.",
    "test": "The tests marked `long`, of which these are a sample, run with make test-all.",
}

ROOM_IN_MEMORY = 3 * 2**30
"""Bytes that must be free before tests write into memory what they would write to the disk: SQLite waits for a disk."""

NO_TESTS = 5
"""pytest's exit code when nothing was selected."""


@dataclass
class Tally:
    """What happened so far: counts of tests, what failed, and what was left out (name and reason)."""

    passed: int = 0
    failed: int = 0
    broken: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    not_asked: list[str] = field(default_factory=list)
    """What the vendor state outside did not answer; no fault of the code, and it fails nothing."""


def main() -> int:
    """Exit code 0: all passed (and with CI=true nothing was left out); 1: not so; 2: cannot run here."""
    parser = argparse.ArgumentParser(description="Run lint, types, import rules and tests")
    parser.add_argument("extent", choices=EXTENTS, nargs="?", default="test")
    extent = parser.parse_args().extent
    lint_only, whole = extent == "lint", extent not in ("lint", "quick")
    tally = Tally()
    if whole:
        system_packages.install_missing()
    try:
        prepare.prepare(dev=True)
    except prepare.PreparationError as problem:
        print(problem, file=sys.stderr)
        return 2
    holes = audit.Audit(BIN) if whole else None
    with ThreadPoolExecutor(len(LINT)) as beside:
        linters = {name: beside.submit(_lint, name, command) for name, command in LINT}
        if not lint_only:
            _run_tests("tests", EXTENTS[extent], tally)
    tally.broken += [name for name, code in linters.items() if code.result()]
    if holes is not None:
        _note_holes(holes.outcome(), tally)
    if extent in MORE:
        print(f"\n{MORE[extent]}")
    return _conclude(tally, lint_only=lint_only)


def _lint(name: str, command: tuple[str, ...]) -> int:
    """Run a linter beside everything else; what it says comes in one piece, at its end."""
    done, said = _timed(name, [str(BIN / command[0]), *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(f"{_head(name, command)}\n{done.stdout.decode()}{said}", flush=True)
    return done.returncode


def _run(name: str, command: list[str], environment: dict[str, str] | None = None) -> int:
    print(_head(name, command), flush=True)
    done, said = _timed(name, command, environment)
    print(said, flush=True)
    return done.returncode


def _head(name: str, command: Sequence[str]) -> str:
    return f"\n== {name}: {Path(command[0]).name} {' '.join(command[1:])}"


def _timed(
    name: str, command: list[str], environment: dict[str, str] | None = None, **streams: int
) -> tuple[subprocess.CompletedProcess[bytes], str]:
    """The command's end, and a line about it."""
    started = time.monotonic()
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    env = {**os.environ, "PATH": path, **(environment or {})}
    done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False, **streams)
    verdict = "ok" if done.returncode == 0 else f"exit code {done.returncode}"
    return done, f"== {name}: {verdict}, {time.monotonic() - started:.0f} s"


def _run_tests(name: str, options: tuple[str, ...], tally: Tally) -> None:
    with tempfile.TemporaryDirectory(prefix="lms-tests-", dir=_in_memory()) as directory:
        report = Path(directory) / "report.xml"
        # From Python 3.12 on the interpreter itself notes lines: a few percent instead of twice the time.
        noted = {"COVERAGE_CORE": "sysmon"} if sys.version_info >= (3, 12) else {}
        code = _run(name, [str(BIN / "pytest"), *options, f"--junitxml={report}"], {"TMPDIR": directory, **noted})
        if report.exists():
            _count(report, tally)
    if code not in (0, NO_TESTS):
        tally.broken.append(name)


def _in_memory() -> str | None:
    """The folder in memory when there is one with room; None leaves the choice to the system."""
    shared = Path("/dev/shm")  # noqa: S108 - everything is in a folder of its own name
    if shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > ROOM_IN_MEMORY:
        return str(shared)
    return None


def _note_holes(found: audit.Outcome, tally: Tally) -> None:
    if found.holes:
        print("\nKnown holes in installed packages (what to do: docs/security.md):")
        print("\n".join(f"  {line}" for line in found.holes))
        tally.broken.append("audit of dependencies")
    if found.not_asked:
        tally.not_asked.append(f"audit of dependencies: {found.not_asked}")


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
    if tally.not_asked:
        print("Left out, as nobody answered (fails nothing):")
        print("\n".join(f"  {line}" for line in tally.not_asked))
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
