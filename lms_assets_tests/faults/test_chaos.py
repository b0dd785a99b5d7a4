"""One random history, ten with `make test-all`; hundreds: python -m lms_assets_tests.faults.chaos --seeds 300.

Short here, since each run is a whole chain: what they have in common with long ones is that everything may come
together. A failure says the seed, every step, and the command that does the same again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lms_assets_tests.faults.chaos import run_seed

# Seeds and how many runs.
IN_PROCESS = ((2, 2), *(pytest.param(seed, 2, marks=pytest.mark.long) for seed in (1, 3, 5, 6, 8, 9)))
WITH_TERMINAL = ((7, 1), (287, 3))
WITH_DAEMON = 10


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "runs"), IN_PROCESS)
def test_whatever_happens_the_state_is_right_or_old_and_right_again_in_the_end(
    quick_folder: Path, seed: int, runs: int
) -> None:
    assert len(run_seed(seed, runs, quick_folder)) == runs


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("seed", "runs"), WITH_TERMINAL)
def test_the_same_of_runs_here_and_in_a_terminal_in_turns(quick_folder: Path, seed: int, runs: int) -> None:
    steps = run_seed(seed, runs, quick_folder)
    assert {step.where for step in steps} >= {"terminal"}


@pytest.mark.slow
@pytest.mark.long
def test_the_same_of_what_a_daemon_runs(quick_folder: Path) -> None:
    steps = run_seed(WITH_DAEMON, 1, quick_folder)
    assert {step.where for step in steps} == {"daemon"}
