"""Dagster's own command knows this project: `dg check defs`, `dg list defs`, `dg dev`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from lms_assets.lineage import ASSETS_OF_JOBS, ENTRIES
from lms_assets_tests.architecture import source


def dg_command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """With `[tool.dg]` in pyproject.toml, without a key, and without the MySQL of the production's dagster.yaml."""
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    return subprocess.run(
        [Path(sys.executable).parent / "dg", *words],
        env={**os.environ, "DAGSTER_HOME": str(folder), "VIRTUAL_ENV": str(Path(sys.executable).parent.parent)},
        cwd=source.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_dg_checks_the_definitions_of_this_project(tmp_path: Path):
    done = dg_command(tmp_path, "check", "defs")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "All definitions loaded successfully" in done.stdout + done.stderr


def test_dg_lists_every_asset_and_job(tmp_path: Path):
    done = dg_command(tmp_path, "list", "defs", "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    listed = json.loads(done.stdout)
    assert {each["asset_key"] for each in listed["assets"]} >= set(ENTRIES)
    assert {each["name"] for each in listed["jobs"]} >= set(ASSETS_OF_JOBS)
