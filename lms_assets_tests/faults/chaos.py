"""Random histories: changes at the vendors, faults, kills, resumes, runs in a terminal and by a daemon, each compared.

After each run the state is compared with the oracle; the same seed does the same again.

python -m lms_assets_tests.faults.chaos --seeds 100 --runs 20             # a hundred histories
python -m lms_assets_tests.faults.chaos --seed 7 --runs 20                # one of them again
python -m lms_assets_tests.faults.chaos --seed 7 --runs 20 --mode daemon  # with its runs elsewhere
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
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from lms_assets.sandbox.faults.kinds import KINDS
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets_tests.faults.changes import CHANGES
from lms_assets_tests.faults.judge import Ending, Judge
from lms_assets_tests.faults.terminal import Terminal
from lms_assets_tests.harness.chain import EVERYTHING, SMALL, ChainHarness
from lms_assets_tests.harness.waits import LONGEST_SECONDS

ENDPOINTS = (
    "*", "northpass *", "impartner *", "GET /people", "GET /people/*", "GET /groups", "GET /groups/*/memberships",
    "GET /groups/*", "GET /transcripts/*", "GET /courses", "GET /properties/courses", "GET /Account", "GET /User",
    "PATCH /Account",
)  # fmt: skip
WRITES_ONLY = frozenset({"answer_lost", "patch_records_fail", "patch_not_applied"})
# The command waits as long as in production before it asks again: there these come a few times only.
ASKED_AGAIN = frozenset(
    {"throttle", "server_error", "reset_before_status", "reset_in_body", "truncated_json", "html_page", "gzip_error",
     "wrong_content_type", "empty_body"}
)  # fmt: skip
EVERY = 5
"""After so many runs the faults end, and one undisturbed chain must put everything right."""
MODES = ("process", "terminal", "daemon")


def mode_of(seed: int) -> str:
    """Of ten histories seven stay in this process, two use a terminal too, one a terminal and a daemon."""
    return {0: "daemon", 4: "terminal", 7: "terminal"}.get(seed % 10, "process")


class Wrong(AssertionError):
    """The state is not what it must be; the text says what was done and how to do it again."""


@dataclass(frozen=True)
class Step:
    """One run: what was done before it, what was run where, and how it ended."""

    words: tuple[str, ...]
    where: str
    changes: tuple[str, ...]
    faults: tuple[str, ...]
    killed_at: int | str | None
    ended: str = "began"


class Chaos:
    """One seed's vendor state, warehouse and dice."""

    def __init__(self, seed: int, folder: Path, sandbox: SandboxHandle, mode: str) -> None:
        self.seed = seed
        self.mode = mode
        self.dice = random.Random(f"chaos/{seed}")
        self.sandbox = sandbox
        self.harness = ChainHarness(folder, sandbox)
        self.terminal = Terminal(folder, sandbox, self.harness.url) if mode != "process" else None
        self.judge = Judge(self.harness)
        self.steps: list[Step] = []

    def correct_and_compare(self) -> None:
        """One chain, undisturbed, after which everything is as the oracle says.

        Raises:
            Wrong: it is not.
        """
        result = self.harness.run(allow=EVERYTHING)
        found = self.judge.correct_and_compare() if result.success else [f"failed: {result.errors}"]
        self._refuse([f"undisturbed chain: {each}" for each in found])

    def step(self) -> Step:
        """Change the vendor state, arm faults, run (or be killed running), and compare.

        Raises:
            Wrong: something that is there at the source was taken away, a chain that says all is well is not, or the
                CRM shows a count that cannot be right.
        """
        in_terminal = self.terminal is not None and self.dice.random() < 0.6
        # The command goes by the machine's clock, and so does a sandbox that it asks.
        minutes = self.dice.randint(5, 400)
        if self.terminal is None:
            self.harness.advance(minutes=minutes)
        changes = tuple(self._change() for _ in range(self.dice.randint(0, 4)))
        faults = tuple(self._arm() for _ in range(self.dice.randint(0, 3)))
        self.judge.look()
        step = self._in_terminal(changes, faults) if in_terminal else self._in_process(changes, faults)
        self.sandbox.faults.reset()
        if len(self.steps) % EVERY == 0:
            self.correct_and_compare()
        return step

    def _in_process(self, changes: tuple[str, ...], faults: tuple[str, ...]) -> Step:
        job = self.dice.choices(("daily_full", "enrollments_incremental", "push_to_impartner"), (7, 2, 1))[0]
        killed_at = self.dice.randint(1, 400) if self.dice.random() < 0.15 else None
        step = Step((job,), "process", changes, faults, killed_at)
        return self._compared(step, lambda: self._killed(job, killed_at) if killed_at else self._run(job))

    def _in_terminal(self, changes: tuple[str, ...], faults: tuple[str, ...]) -> Step:
        terminal = self.terminal
        assert terminal is not None
        words = terminal.words(self.dice)
        kill = self.mode == "terminal" and words == ("daily_full",) and self.dice.random() < 0.25
        killed_at = terminal.step_to_kill(self.dice) if kill else None
        step = Step(words, self.mode, changes, faults, killed_at)
        self.harness.warehouse.close()
        return self._compared(step, lambda: terminal.kill(words, killed_at) if killed_at else terminal.run(words))

    def _compared(self, step: Step, run: Callable[[], Ending]) -> Step:
        self.steps.append(step)
        try:
            ending = run()
        except AssertionError as error:
            raise Wrong(self._told([str(error)])) from error
        self.steps[-1] = replace(step, ended=ending.word)
        # What a resumed chain had done before is not of now.
        found = self.judge.found(step.words[0] if "--resume" not in step.words else "resume", ending)
        self._refuse(found)
        return self.steps[-1]

    def _run(self, job: str) -> Ending:
        result = self.harness.run(job)
        word = "failed" if not result.success else "partial" if result.partial else "went through"
        return Ending(word, result.red)

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
        if self.terminal is not None and kind in ASKED_AGAIN:
            limits = {"first": 2}
        self.sandbox.faults.add(
            kind, endpoint, share=share, after=self.dice.choice((0, 0, 0, 1, 7)), options=options, **limits
        )
        return f"{kind} on {endpoint}, share {share}, {limits}"

    def _killed(self, job: str, at: int) -> Ending:
        """Run in another process that kills itself at its n-th write, or ends before."""
        order = {"job": job, "at": at, "now": self.harness.now.isoformat(), "folder": str(self.harness.folder)}
        order |= {
            "northpass": self.sandbox.northpass_url,
            "impartner": self.sandbox.impartner_url,
            "url": self.harness.url,
        }
        self.harness.warehouse.close()
        command = [sys.executable, "-W", "ignore", "-m", "lms_assets_tests.faults.killed_run", json.dumps(order)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
        assert done.returncode in (0, 1, -9), f"the killed run ended with {done.returncode}: {done.stderr[-1500:]}"
        return Ending("killed")

    def _refuse(self, found: list[str]) -> None:
        if found:
            raise Wrong(self._told(found[:5]))

    def _told(self, problems: Iterable[str]) -> str:
        last = "\n".join(f"  {number}: {step}" for number, step in enumerate(self.steps, start=1))
        again = f"again: python -m lms_assets_tests.faults.chaos --seed {self.seed} --mode {self.mode}"
        return f"seed {self.seed}, run {len(self.steps)}: {'; '.join(problems)}\n{last}\n{again}"


def run_seed(
    seed: int, runs: int, folder: Path, tell: Callable[[str], None] = lambda _: None, mode: str | None = None
) -> list[Step]:
    """So many runs of one seed, and everything right in the end.

    Raises:
        Wrong: the state was not what it must be.
    """
    mode = mode or mode_of(seed)
    vendor_state = replace(SMALL, seed=seed) if mode == "process" else replace(SMALL, seed=seed, now=None)
    with running_sandbox(vendor_state) as sandbox, ExitStack() as stack:
        chaos = Chaos(seed, folder, sandbox, mode)
        stack.callback(chaos.harness.close)
        chaos.correct_and_compare()
        if mode == "daemon" and chaos.terminal is not None:
            stack.enter_context(chaos.terminal.daemon())
        for number in range(1, runs + 1):
            step = chaos.step()
            what = f"{' '.join(step.words)} ({step.where}) {step.ended}"
            tell(f"seed {seed} run {number}: {what}; {', '.join(step.faults) or 'no fault'}")
        if not chaos.judge.all_right:
            chaos.correct_and_compare()
        if mode == "daemon" and chaos.terminal is not None:
            asked = sum(step.where == mode for step in chaos.steps)
            assert chaos.terminal.by_daemon == asked, "the terminal ran what the daemon was to run"
        return chaos.steps


def main() -> int:
    """Exit code 0 when every state was right, 1 with the story of the one that was not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="one seed only")
    parser.add_argument("--seeds", type=int, default=10, help="from 1 to this one")
    parser.add_argument("--runs", type=int, default=20, help="of each seed")
    parser.add_argument("--mode", choices=MODES, help="where runs may go; without it the seed decides")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    started, wrong = time.monotonic(), []
    seeds = [given.seed] if given.seed is not None else range(1, given.seeds + 1)
    ended: dict[str, int] = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            try:
                for step in run_seed(seed, given.runs, Path(folder), lambda line: print(line, flush=True), given.mode):
                    ended[step.ended] = ended.get(step.ended, 0) + 1
            except Wrong as story:
                wrong.append(seed)
                print(story, flush=True)
    print(f"{ended}, seeds that went wrong: {wrong or 'none'}, {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
