"""Dagster's own command knows this project: `dg check defs`, `dg list defs`, `dg dev`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lms_assets_tests.architecture import source


def test_dg_loads_the_definitions_of_this_project(tmp_path: Path):
    """With `[tool.dg]` in pyproject.toml, without a key, and without the MySQL of the production's dagster.yaml."""
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).parent / "dg", "check", "defs"],
        env={**os.environ, "DAGSTER_HOME": str(tmp_path), "VIRTUAL_ENV": str(Path(sys.executable).parent.parent)},
        cwd=source.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "All definitions loaded successfully" in done.stdout + done.stderr
