"""Random faults, changes and kills for two seeds; for ten seeds: python -m lms_assets_tests.faults.chaos."""

from __future__ import annotations

from pathlib import Path

import pytest

from lms_assets_tests.faults.chaos import run_seed

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [3, 5])
def test_whatever_happens_the_state_is_right_or_old_and_right_again_in_the_end(tmp_path: Path, seed: int) -> None:
    steps = run_seed(seed, 10, tmp_path)
    assert len(steps) == 10
    assert any(step.faults for step in steps)
