"""Asking whether a run lives: right however many ask at once, and after the run was found dead."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lms_assets.runs.liveness import fail_dead_runs, hold_run, is_alive, lock_path, our_warehouse, release_run
from lms_assets.warehouse.state import write_lock
from lms_assets_tests.harness.waits import comes_about

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


def test_a_run_that_ends_in_good_order_while_somebody_asks_is_not_taken_for_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its lock is free then, as that of a killed run is, but its file is gone."""
    hold_run(tmp_path, RUN)
    lock = fcntl.flock

    def locked_once_the_run_has_ended(file: Any, how: int) -> None:
        release_run(tmp_path, RUN)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", locked_once_the_run_has_ended)
    assert is_alive(tmp_path, RUN) is None


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


_LIVES = """
import sys, time
from pathlib import Path
from lms_assets.runs.liveness import hold_run
hold_run(Path(sys.argv[1]), sys.argv[2])
print("held", flush=True)
time.sleep(600)
"""


def test_with_several_machines_one_asks_about_a_run_of_another(
    ready_mariadb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """They share no folder: the run's machine holds a lock of the warehouse's server, which ends with its process."""
    monkeypatch.setenv("LMS_EXECUTOR", "celery")
    monkeypatch.setenv("LMS_WAREHOUSE_URL", ready_mariadb_url)
    monkeypatch.setattr(write_lock, "TAKEN_AGAIN_SECONDS", 1.0)
    here, there = tmp_path / "here", tmp_path / "there"
    assert is_alive(here, RUN) is None, "it never began"
    with subprocess.Popen([sys.executable, "-c", _LIVES, str(there), RUN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert is_alive(here, RUN) is True
        with pytest.raises(TimeoutError):
            hold_run(here, RUN)
        process.kill()
    assert comes_about(lambda: is_alive(here, RUN) is False)
    assert not there.exists(), "nothing stands in a folder"
    with our_warehouse().transaction() as connection:
        assert write_lock.forget_dead_before(connection, datetime(2100, 1, 1, tzinfo=UTC)) == 1
    assert is_alive(here, RUN) is None
    hold_run(here, RUN)
    assert is_alive(here, RUN) is True
    release_run(here, RUN)
    assert is_alive(here, RUN) is None, "it ended in good order"
