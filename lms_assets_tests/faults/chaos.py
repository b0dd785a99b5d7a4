"""Random faults, changes and kills, run after run, each compared with the oracle; the same seed does the same again.

python -m lms_assets_tests.faults.chaos --seeds 10 --runs 20      # 200 runs of the chain
python -m lms_assets_tests.faults.chaos --seed 7 --runs 20        # one of them again
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lms_assets.sandbox.fault_kinds import KINDS
from lms_assets.sandbox.server import SandboxHandle, running_sandbox
from lms_assets_tests.faults.changes import CHANGES
from lms_assets_tests.oracle import kept
from lms_assets_tests.support.agreement import differences, links_taken_over
from lms_assets_tests.support.chain import EVERYTHING, SMALL, ChainResult, ChainRig
from lms_assets_tests.support.waits import LONGEST_SECONDS

ENDPOINTS = (
    "*", "northpass *", "impartner *", "GET /people", "GET /people/*", "GET /groups", "GET /groups/*/memberships",
    "GET /groups/*", "GET /transcripts/*", "GET /courses", "GET /properties/courses", "GET /Account", "GET /User",
    "PATCH /Account",
)  # fmt: skip
# What these hide, nothing in the answers shows: after them the state may be older than the source, though never poorer.
SILENT = frozenset(
    {"cut_short", "page_drift_removed", "page_drift_added", "duplicate_page", "not_found", "empty_is_404",
     "empty_is_list", "clock_skew", "null_field", "missing_field", "wrong_type", "ignored_filter"}
)  # fmt: skip
WRITES_ONLY = frozenset({"answer_lost", "patch_records_fail", "patch_not_applied"})
EVERY = 5
"""After so many runs the faults end, and one undisturbed chain must put everything right."""


class Wrong(AssertionError):
    """The state is not what it must be; the text says the seed, the run and what was done."""


@dataclass(frozen=True)
class Step:
    """One run: what was done before it and how it ended."""

    job: str
    changes: tuple[str, ...]
    faults: tuple[str, ...]
    killed_at: int | None
    ended: str


class Chaos:
    """One seed's world, warehouse and dice."""

    def __init__(self, seed: int, folder: Path, sandbox: SandboxHandle) -> None:
        self.seed = seed
        self.dice = random.Random(f"chaos/{seed}")
        self.sandbox = sandbox
        self.rig = ChainRig(folder, sandbox)
        self.steps: list[Step] = []

    def start(self) -> None:
        """The first chain, undisturbed."""
        self._put_right()

    def step(self) -> Step:
        """Change the world, arm faults, run (or be killed running), and compare.

        Raises:
            Wrong: something that is there at the source was taken away, or a chain that says all is well is not.
        """
        self.rig.advance(minutes=self.dice.randint(5, 400))
        changes = tuple(self._change() for _ in range(self.dice.randint(0, 4)))
        faults = tuple(self._arm() for _ in range(self.dice.randint(0, 3)))
        job = self.dice.choices(("daily_full", "enrollments_incremental", "push_to_impartner"), (7, 2, 1))[0]
        killed_at = self.dice.randint(1, 400) if self.dice.random() < 0.15 else None
        before = self._there()
        result = self._killed(job, killed_at) if killed_at else self.rig.run(job)
        ended = "killed" if result is None else ("went through" if result.success else "failed")
        step = Step(job, changes, faults, killed_at, ended)
        self.steps.append(step)
        self._compare(step, before, result)
        self.sandbox.faults.reset()
        if len(self.steps) % EVERY == 0:
            self._put_right()
        return step

    def _compare(self, step: Step, before: dict[str, set[Any]], result: ChainResult | None) -> None:
        right = kept(self.sandbox.world.state(), links_taken_over(self.rig))
        should = {
            "partners": right.partners,
            "contacts": right.contacts,
            "users": right.users,
            "groups": right.groups,
            "memberships": right.memberships,
        }
        after = self._there()
        for name, ids in should.items():
            lost = (before[name] & ids) - after[name]
            if lost:
                raise Wrong(self._told(f"{name} wrongly taken away: {sorted(lost)[:5]}"))
        hit = {rule["kind"] for rule in self.sandbox.faults.listing() if rule["hits"]}
        if result is not None and result.success and step.job == "daily_full" and not hit & SILENT:
            found = [] if self._says_something(result) else differences(self.rig)
            if found:
                raise Wrong(self._told("; ".join(found[:5])))

    @staticmethod
    def _says_something(result: ChainResult) -> bool:
        spoken = (
            "_listing_was_complete",
            "memberships_are_current",
            "transcripts_were_all_read",
            "push_is_confirmed",
            "no_partner_is_withheld",
        )
        return any(name.endswith(spoken) for name in result.red) or any("_all_readable" in name for name in result.red)

    def _put_right(self) -> None:
        result = self.rig.run(allow=EVERYTHING)
        found = differences(self.rig)
        if not result.success or found:
            raise Wrong(self._told(f"undisturbed chain: {result.errors or found[:5]}"))

    def _there(self) -> dict[str, set[Any]]:
        rows = self.rig.rows
        return {
            "partners": {row["impartner_id"] for row in rows("partners") if row["is_active"]},
            "contacts": {row["impartner_id"] for row in rows("contacts") if row["is_active"]},
            "users": {row["id"] for row in rows("lms_users") if row["is_active"]},
            "groups": {row["id"] for row in rows("lms_groups") if row["is_active"]},
            "memberships": {(row["group_id"], row["user_id"]) for row in rows("lms_group_members")},
        }

    def _change(self) -> str:
        name = self.dice.choice(sorted(CHANGES))
        try:
            CHANGES[name](self.sandbox, self.dice)
        except (IndexError, ValueError):
            return f"{name} (nothing to change)"
        return name

    def _arm(self) -> str:
        kind = self.dice.choice([each for each in KINDS if each != "mutate"])
        endpoint = "PATCH /Account" if kind in WRITES_ONLY else self.dice.choice(ENDPOINTS)
        share = self.dice.choice((0.1, 0.5, 1.0))
        limits: dict[str, int] = {} if self.dice.random() < 0.5 else {"first": self.dice.randint(1, 6)}
        options = {"slow": {"seconds": 0.3}, "big_record": {"bytes": 200_000}}.get(kind, {})
        if kind in ("null_field", "missing_field", "wrong_type"):
            options = {"row": self.dice.randint(0, 30), "field": self.dice.choice(("id", "attributes.email", "email"))}
        self.sandbox.faults.add(
            kind, endpoint, share=share, after=self.dice.choice((0, 0, 0, 1, 7)), options=options, **limits
        )
        return f"{kind} on {endpoint}, share {share}, {limits}"

    def _killed(self, job: str, at: int) -> ChainResult | None:
        """Run in another process that kills itself at its n-th write; None when that came to pass."""
        order = {"job": job, "at": at, "now": self.rig.now.isoformat(), "folder": str(self.rig.folder)}
        order |= {"northpass": self.sandbox.northpass_url, "impartner": self.sandbox.impartner_url, "url": self.rig.url}
        self.rig.warehouse.close()
        command = [sys.executable, "-W", "ignore", "-m", "lms_assets_tests.faults.killed_run", json.dumps(order)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
        if done.returncode not in (0, 1, -9):
            raise Wrong(self._told(f"the killed run ended with {done.returncode}: {done.stderr[-1500:]}"))
        return None

    def _told(self, problem: str) -> str:
        last = "\n".join(f"  {number}: {step}" for number, step in enumerate(self.steps, start=1))
        return f"seed {self.seed}, run {len(self.steps)}: {problem}\n{last}"


def run_seed(seed: int, runs: int, folder: Path, tell: Callable[[str], None] = lambda _: None) -> list[Step]:
    """So many runs of one seed.

    Raises:
        Wrong: the state was not what it must be.
    """
    with running_sandbox(replace(SMALL, seed=seed)) as sandbox:
        chaos = Chaos(seed, folder, sandbox)
        chaos.start()
        for number in range(1, runs + 1):
            step = chaos.step()
            tell(f"seed {seed} run {number}: {step.job} {step.ended}; {', '.join(step.faults) or 'no fault'}")
        chaos.rig.close()
        return chaos.steps


def main() -> int:
    """Exit code 0 when every state was right, 1 with the story of the one that was not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="one seed only")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=20, help="of each seed")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    started, wrong = time.monotonic(), 0
    seeds = [given.seed] if given.seed is not None else range(1, given.seeds + 1)
    ended: dict[str, int] = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            try:
                for step in run_seed(seed, given.runs, Path(folder), lambda line: print(line, flush=True)):
                    ended[step.ended] = ended.get(step.ended, 0) + 1
            except Wrong as story:
                wrong += 1
                print(story, flush=True)
    print(f"{ended}, {wrong} seeds went wrong, {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
