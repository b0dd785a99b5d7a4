"""What the data engineer sees in Dagster's UI after the demo's chain, in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from lms_assets_tests.harness.commands import COMMAND, ROOT, wait_until
from lms_assets_tests.harness.waits import LONGEST_SECONDS

pytestmark = pytest.mark.slow

TIERS = (
    "tier_1_foundation",
    "tier_2_users_and_groups",
    "tier_3_enrollments",
    "tier_4_aggregation_and_push",
    "tier_5_reporting",
)
# Without these Chromium asks the network for updates, many at a time.
OFFLINE = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
GRACE_PERIODS = LONGEST_SECONDS * 1000


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo as a script starts it in the background, up to its UI; a SIGTERM ends it with all that it started."""
    folder = tmp_path_factory.mktemp("interface")
    output = folder / "demo.log"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder), "NO_COLOR": "1"}
    with output.open("w") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"trap '' INT; exec {COMMAND} demo --scale 0.01"],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        assert wait_until(lambda: "Ctrl-C ends everything" in output.read_text(), process), output.read_text()
        found = re.search(r"Dagster's UI: http://127\.0\.0\.1:(\d+)", output.read_text())
        assert found
        port = int(found[1])
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(LONGEST_SECONDS)
    assert not answers(port)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed")
        pytest.skip("Chromium is not installed (apt-get install chromium): no page was opened")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OFFLINE)
        page = browser.new_page(viewport={"width": 1600, "height": 1400})
        page.set_default_timeout(GRACE_PERIODS)
        yield page
        browser.close()


def test_the_lineage_shows_the_five_tiers(interface: str, page: Page):
    page.goto(f"{interface}/asset-groups")
    for tier in TIERS:
        expect(page.get_by_text(tier).first).to_be_visible(timeout=GRACE_PERIODS)


def test_the_checks_that_hold_the_chain_back_are_green(interface: str, page: Page):
    page.goto(f"{interface}/assets/users?view=checks")
    for check in ("users_are_present", "users_are_recent", "users_listing_was_complete"):
        expect(page.get_by_text(check).first).to_be_visible(timeout=GRACE_PERIODS)
    page.goto(f"{interface}/assets/partners?view=overview")
    expect(page.get_by_text("Row count").first).to_be_visible(timeout=GRACE_PERIODS)
    expect(page.get_by_text("Failed")).to_have_count(0)


def test_an_asset_shows_its_figures_as_plots(interface: str, page: Page):
    page.goto(f"{interface}/assets/partner_cert_counts?view=overview")
    page.get_by_text("Plots", exact=True).first.click()
    expect(page.get_by_text("total_npcu", exact=True).last).to_be_visible(timeout=GRACE_PERIODS)
    expect(page.locator("canvas").first).to_be_visible(timeout=GRACE_PERIODS)
