"""Asking whether a run lives: right however many ask at once, and after the run was found dead."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg

from lms_assets.runs.liveness import fail_dead_runs, is_alive, lock_path

RUN = "11111111-1111-1111-1111-111111111111"

# Takes the run's lock and ends without letting go of it, as a killed process does.
_DIES_HOLDING = """
import os, sys
from pathlib import Path
from lms_assets.runs.liveness import hold_run, is_alive
hold_run(Path(sys.argv[1]), sys.argv[2])
assert is_alive(Path(sys.argv[1]), sys.argv[2]) is True
os._exit(0)
"""


def killed_while_holding(home: Path, run_id: str) -> None:
    subprocess.run([sys.executable, "-c", _DIES_HOLDING, str(home), run_id], check=True, timeout=300)


def test_those_who_ask_at_once_do_not_take_each_other_for_the_run(tmp_path: Path):
    killed_while_holding(tmp_path, RUN)
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(lambda _: is_alive(tmp_path, RUN), range(4000)))
    assert answers == {False}


def test_a_run_that_never_began_says_nothing(tmp_path: Path):
    assert is_alive(tmp_path, RUN) is None


def test_a_dead_run_stays_dead_for_a_step_that_outlived_it(tmp_path: Path):
    """The step asks again after the run was marked as failed, and must not write as if the run went on."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = dg.DagsterRun(job_name="daily_full", run_id=RUN, status=dg.DagsterRunStatus.STARTED)
        instance.add_run(run)
        killed_while_holding(tmp_path, RUN)
        assert fail_dead_runs(instance) == [RUN]
        assert instance.get_run_by_id(RUN).status == dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]
        assert is_alive(tmp_path, RUN) is False
        assert lock_path(tmp_path, RUN).exists()
