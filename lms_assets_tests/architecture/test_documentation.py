"""The documentation builds without a warning: every page in the menu, every link and anchor leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lms_assets_tests.architecture import source


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=source.ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr[-3000:]
    return folder


def test_the_site_loads_nothing_from_another_host(site: Path):
    """It may be read on a machine without internet, and tells nobody who reads it."""
    loads = re.compile(r"""<(?:script|link|img)\b[^>]*\b(?:src|href)=["']?(https?://[^"'\s>]+)""")
    foreign = {
        url
        for page in site.rglob("*.html")
        for url in loads.findall(page.read_text(encoding="utf-8"))
        if not url.startswith("https://dagster.io")
    }
    assert not foreign


def test_the_reference_pages_name_what_the_program_has(site: Path):
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    for words in ("lms-assets run", "--no-wait", "lms-assets db upgrade", "lms-assets why"):
        assert words in commands
    configuration = (site / "reference" / "configuration.html").read_text(encoding="utf-8")
    assert "NORTHPASS_REQUESTS_PER_SECOND" in configuration
    tables = (site / "reference" / "tables.html").read_text(encoding="utf-8")
    assert "partner_certifications" in tables
    assert "mass_deactivation_share" in (site / "reference" / "rules.html").read_text(encoding="utf-8")
