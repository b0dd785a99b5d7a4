"""The pictures of the docs' tour, made by walking through a demo in a browser as a person would (`make tour`).

What a picture shows is asserted before it is taken, and that it names no folder and no host of this machine. Takes a
few minutes; the sandbox's data, nothing else.
"""

from __future__ import annotations

import argparse
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page, expect, sync_playwright

from lms_assets.asset_specs import WEEKLY
from lms_assets.definitions import defs
from lms_assets_tests.end_to_end.test_demo import MILLISECONDS, OFFLINE, TIERS, Demo, running_demo
from lms_assets_tests.harness.waits import comes_about

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "tour"
WIDTH, HEIGHT, FLAT, TALL = 1280, 800, 480, 1000
COLOURS = 256
LARGEST, LARGEST_IN_ALL = 200_000, 1_500_000
SETTLE_MILLISECONDS = 1500
LOCATION = "locations/lms_assets.definitions"
RUNNING = """{runsOrError(limit: 1) {... on Runs {results {runId status}}}}"""
FAILING = "memberships_are_current"


class Tour:
    """A browser at the demo's UI, and the folder of the pictures."""

    def __init__(self, demo: Demo, page: Page, folder: Path) -> None:
        self._demo = demo
        self._page = page
        self._folder = folder
        self._private = (str(demo.folder), str(ROOT), str(Path.home()), socket.gethostname(), "/tmp/")  # noqa: S108

    def walk(self) -> None:
        """Every picture, in the order of the page."""
        self._lineage()
        self._automation()
        self._asset()
        self._report()
        first = self._newest()
        self._demo.faults("", kind="forbidden", endpoint="GET /groups/{id}/memberships")
        partial = self._launched(first)
        self._failed_check()
        self._demo.faults("/reset")
        self._resumed(partial)
        self._backfill()

    def _open(self, path: str) -> None:
        self._page.goto(f"{self._demo.interface}/{path}")

    def _shows(self, *texts: str | re.Pattern[str]) -> None:
        for text in texts:
            expect(self._page.get_by_text(text).locator("visible=true").first).to_be_visible(timeout=MILLISECONDS)

    def _picture(self, name: str, of: Locator | None = None) -> None:
        """Take it, as small as a flat picture can be."""
        self._page.wait_for_timeout(SETTLE_MILLISECONDS)
        text = (of or self._page.locator("body")).inner_text()
        shown = [each for each in self._private if each in text]
        assert not shown, f"{name} shows {shown}"
        path = self._folder / f"{name}.png"
        self._page.screenshot(path=path, clip=None if of is None else self._in_view(of))
        with Image.open(path) as image:
            image.convert("RGB").quantize(COLOURS).save(path, optimize=True)
        size = path.stat().st_size
        assert size < LARGEST, f"{name} takes {size:,} bytes"
        sys.stdout.write(f"{path.name:16} {size:8,} bytes\n")

    def _in_view(self, of: Locator) -> FloatRect:
        """The part of an element that the window shows."""
        box = of.bounding_box()
        assert box is not None
        box["height"] = min(box["height"], HEIGHT - box["y"])
        return box

    def _lineage(self) -> None:
        self._open("asset-groups")
        self._page.get_by_text("Hide navigation").click()
        self._page.get_by_placeholder("Jump to…").locator("xpath=following::button[1]").click()
        self._shows(TIERS[0], TIERS[-1])
        self._picture("lineage")
        self._page.set_viewport_size({"width": WIDTH, "height": FLAT})
        self._open(f"{LOCATION}/asset-groups/{TIERS[3]}/lineage")
        self._shows("partner_certifications", "partner_cert_counts")
        self._picture("tier")
        self._page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    def _automation(self) -> None:
        self._open("automation")
        for name in ("daily_full_at_2", "enrollments_every_4_hours", "reports_on_mondays"):
            row = self._page.locator("div", has_text=re.compile(rf"^{name}")).last
            expect(row).to_be_visible(timeout=MILLISECONDS)
        # All but the sensor that reads the LMS's log.
        switched_on = len([*(defs.schedules or []), *(defs.sensors or [])]) - 1
        expect(self._page.locator("input:checked")).to_have_count(switched_on, timeout=MILLISECONDS)
        assert len(list(defs.schedules or [])) == self._running_schedules(), "a schedule of the demo is off"
        self._picture("automation")

    def _running_schedules(self) -> int:
        query = "{repositoriesOrError {... on RepositoryConnection {nodes {schedules {scheduleState {status}}}}}}"
        (node,) = self._demo.ask(query)["repositoriesOrError"]["nodes"]
        return sum(each["scheduleState"]["status"] == "RUNNING" for each in node["schedules"])

    def _asset(self) -> None:
        self._open("assets/partner_cert_counts?view=overview")
        self._shows("Row count", "Passing", "the sums over")
        self._picture("asset")

    def _report(self) -> None:
        self._open("assets/pam_weekly_report?view=events")
        self._page.get_by_text("Show Markdown").first.click()
        dialog = self._page.locator(".bp5-dialog, .bp4-dialog, [role=dialog]").last
        expect(dialog.get_by_role("img").last).to_be_visible(timeout=MILLISECONDS)
        self._picture("report", dialog)

    def _launched(self, before: str) -> str:
        """Launch the chain by clicks, and watch it; gives its run once it has ended."""
        self._open(f"{LOCATION}/jobs/daily_full")
        self._shows("Start it: Materialize all…, Latest, Launch 1 run.")
        self._page.get_by_role("button", name="Materialize all…").click()
        self._page.get_by_role("button", name="Latest").click()
        launch = self._page.get_by_role("button", name="Launch 1 run")
        expect(launch).to_be_enabled(timeout=MILLISECONDS)
        self._picture("launch")
        launch.click()
        expect(launch).to_have_count(0, timeout=MILLISECONDS)
        run = self._next(before)
        self._open(f"runs/{run}")
        assert comes_about(lambda: "users" in self._materialized(run), every=1)
        self._page.set_viewport_size({"width": WIDTH, "height": TALL})
        self._shows("Executing")
        self._picture("run")
        self._page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        assert self._ended(run) == "FAILURE"
        return run

    def _failed_check(self) -> None:
        self._open(f"assets/memberships?view=checks&checkDetail={FAILING}")
        self._shows(FAILING, "what_to_do", "runbook")
        self._picture("check")

    def _resumed(self, partial: str) -> None:
        """Go on with a failed run. No picture: its log names files of this machine."""
        self._open(f"runs/{partial}")
        menu = self._page.locator("div", has_text=re.compile(r"^Re-execute all \(\*\)$")).get_by_role("button").last
        menu.click()
        choice = self._page.get_by_role("menuitem", name="From asset failure")
        expect(choice).to_be_visible(timeout=MILLISECONDS)
        choice.click()
        assert self._ended(self._next(partial)) == "SUCCESS"

    def _backfill(self) -> None:
        before = self._newest()
        self._open("assets/enrollments?view=partitions")
        self._page.get_by_role("button", name="Materialize").first.click()
        weeks = self._page.get_by_role("dialog").or_(self._page.locator(".bp5-dialog, .bp4-dialog")).last
        week = WEEKLY.get_partition_keys()[-4]
        chosen = weeks.get_by_role("textbox").first
        chosen.fill(week)
        chosen.press("Enter")
        launch = weeks.get_by_role("button", name="Launch")
        expect(launch).to_be_enabled(timeout=MILLISECONDS)
        self._picture("backfill")
        launch.click()
        run = self._next(before)
        assert self._ended(run) == "SUCCESS"
        tags = {each["key"]: each["value"] for each in self._run(run, "tags {key value}")["tags"]}
        assert week in {tags.get("dagster/partition"), tags.get("dagster/asset_partition_range_start")}, tags

    def _newest(self) -> str:
        (run,) = self._demo.ask(RUNNING)["runsOrError"]["results"]
        return str(run["runId"])

    def _next(self, before: str) -> str:
        assert comes_about(lambda: self._newest() != before, every=1), "no run was launched"
        return self._newest()

    def _run(self, run: str, fields: str) -> Any:
        return self._demo.ask(f'{{runOrError(runId: "{run}") {{... on Run {{{fields}}}}}}}')["runOrError"]

    def _materialized(self, run: str) -> set[str]:
        found = self._run(run, "assetMaterializations {assetKey {path}}")["assetMaterializations"]
        return {each["assetKey"]["path"][0] for each in found}

    def _ended(self, run: str) -> str:
        ended = ("SUCCESS", "FAILURE", "CANCELED")
        status: Callable[[], str] = lambda: str(self._run(run, "status")["status"])  # noqa: E731
        assert comes_about(lambda: status() in ended, every=1)
        return status()


@contextmanager
def browser() -> Iterator[Page]:
    """A page of the size of the pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=OFFLINE)
        page = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT}, timezone_id="UTC", locale="en-GB")
        page.set_default_timeout(MILLISECONDS)
        yield page
        opened.close()


def main() -> None:
    """Make all pictures again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PICTURES)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, running_demo(Path(name)) as demo, browser() as page:
        demo.wait_for("Ctrl-C ends everything")
        Tour(demo, page, folder).walk()
    size = sum(path.stat().st_size for path in folder.glob("*.png"))
    assert size < LARGEST_IN_ALL, f"the pictures take {size:,} bytes"


if __name__ == "__main__":
    main()
