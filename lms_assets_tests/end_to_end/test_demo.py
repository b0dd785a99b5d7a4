"""The whole demo in a folder and an environment that belong to a production installation, and its UI in a browser.

One demo for all tests of the module, since it takes half a minute of processor; the last test ends it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socketserver
import subprocess
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect, sync_playwright

from lms_assets_tests.automation.test_partial_chain import RESTS_ON_MEMBERSHIPS
from lms_assets_tests.harness.commands import COMMAND, wait_until
from lms_assets_tests.harness.environment import of_a_process
from lms_assets_tests.harness.waits import LONGEST_SECONDS, comes_about

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
MILLISECONDS = LONGEST_SECONDS * 1000
RUNS = """{runsOrError(filter: {pipelineName: "daily_full"}) {... on Runs {results {runId status}}}}"""
RUN = """{runOrError(runId: "%s") {... on Run {
    runId parentRunId status
    assetMaterializations {assetKey {path} metadataEntries {label ... on IntMetadataEntry {intValue}}}
}}}"""
SCHEDULES = """{repositoriesOrError {... on RepositoryConnection {nodes {schedules {scheduleState {status}}}}}}"""
# A page that shows a run as it goes on takes as much of the processor as the run.
NOTHING = "about:blank"
ENDED = ("SUCCESS", "FAILURE", "CANCELED")


class Trap(socketserver.ThreadingTCPServer):
    """The production hosts: counts whoever calls."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.calls = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.calls += 1
        self.shutdown_request(request)


@contextmanager
def trap() -> Iterator[Trap]:
    server = Trap()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def production(folder: Path, port: int) -> dict[str, str]:
    """What a filled `.env` of production holds; every host is the trap."""
    home = folder / "production_home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    host = f"127.0.0.1:{port}"
    return {
        "NORTHPASS_BASE_URL": f"http://{host}/v2",
        "NORTHPASS_API_KEY": "production-northpass-key",
        "IMPARTNER_BASE_URL": f"http://{host}/api/objects/v1",
        "IMPARTNER_API_KEY": "production-impartner-key",
        "LMS_WAREHOUSE_URL": f"sqlite:///{folder / 'production.db'}",
        "LMS_ALERT_URLS": f"json://{host}/alerts",
        "LMS_HEARTBEAT_URL": f"http://{host}/alive",
        "LMS_SMTP_URL": f"smtp://user:password@{host}",
        "LMS_MAIL_FROM": "lms@example.com",
        "LMS_STATE_DIR": str(home / "state"),
        "LMS_REPORTS_DIR": str(home / "reports"),
        "DAGSTER_HOME": str(home),
    }


@dataclass(frozen=True)
class Demo:
    """A demo that runs: its folder, what it has printed, and the hosts that it must not call."""

    process: subprocess.Popen[bytes]
    folder: Path
    production: Trap

    @property
    def said(self) -> str:
        return (self.folder / "demo.log").read_text(encoding="utf-8")

    def wait_for(self, words: str) -> None:
        assert wait_until(lambda: words in self.said, self.process), self.said

    def address(self, of: str) -> str:
        """The address that it printed behind these words."""
        found = re.search(rf"{of}:? (http://127\.0\.0\.1:\d+)", self.said)
        assert found
        return found[1]

    @property
    def interface(self) -> str:
        return self.address("Dagster's UI")

    def ask(self, query: str) -> Any:
        """What its UI answers to a query."""
        return requests.post(f"{self.interface}/graphql", json={"query": query}, timeout=LONGEST_SECONDS).json()["data"]

    def faults(self, path: str, **fault: str) -> None:
        """Order a fault at the sandbox, or put an end to all of them."""
        address = f"{self.address('Sandbox of both vendors on')}/sandbox/faults{path}"
        requests.post(address, json=fault, timeout=LONGEST_SECONDS).raise_for_status()

    def runs(self) -> dict[str, str]:
        """Id and status of the chain's runs."""
        return {run["runId"]: run["status"] for run in self.ask(RUNS)["runsOrError"]["results"]}

    def run(self, number: str) -> Mapping[str, Any]:
        """One run with what it materialized."""
        found: Mapping[str, Any] = self.ask(RUN % number)["runOrError"]
        return found

    def next_run(self, before: Collection[str]) -> Mapping[str, Any]:
        """The one run of the chain that was launched since, once it has ended."""
        assert comes_about(lambda: any(self.runs()[each] in ENDED for each in set(self.runs()) - set(before)), every=1)
        (number,) = set(self.runs()) - set(before)
        return self.run(number)

    def processes(self) -> list[str]:
        """What still runs in its folder or below it."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "cwd").readlink().is_relative_to(self.folder):
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found


@contextmanager
def running_demo(folder: Path, before: str = "") -> Iterator[Demo]:
    """The demo in a folder with a production `.env`, in a shell that has those variables too.

    Args:
        before: what the shell does first.
    """
    with trap() as hosts:
        variables = production(folder, hosts.server_address[1])
        env = folder / ".env"
        env.write_text("".join(f"{name}={value}\n" for name, value in variables.items()), encoding="utf-8")
        env.chmod(0o600)
        home = folder / "somebody"
        home.mkdir()
        with (folder / "demo.log").open("w") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"{before} exec {COMMAND} demo --scale 0.01"],
                env=of_a_process(home, **variables),
                cwd=folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield Demo(process, folder, hosts)
        finally:
            process.terminate()
            process.wait(LONGEST_SECONDS)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo up to its UI."""
    with running_demo(tmp_path_factory.mktemp("demo")) as made:
        made.wait_for("Ctrl-C ends everything")
        yield made


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
        page.set_default_timeout(MILLISECONDS)
        yield page
        browser.close()


def test_the_lineage_shows_the_five_tiers(demo: Demo, page: Page):
    page.goto(f"{demo.interface}/asset-groups")
    for tier in TIERS:
        expect(page.get_by_text(tier).first).to_be_visible(timeout=MILLISECONDS)


def test_the_checks_that_hold_the_chain_back_are_green(demo: Demo, page: Page):
    page.goto(f"{demo.interface}/assets/users?view=checks")
    for check in ("users_are_present", "users_are_recent", "users_listing_was_complete"):
        expect(page.get_by_text(check).first).to_be_visible(timeout=MILLISECONDS)
    page.goto(f"{demo.interface}/assets/partners?view=overview")
    expect(page.get_by_text("Row count").first).to_be_visible(timeout=MILLISECONDS)
    expect(page.get_by_text("Failed")).to_have_count(0)


def test_the_page_of_the_chain_names_the_clicks_that_start_and_resume_it(demo: Demo, page: Page):
    page.goto(f"{demo.interface}/locations/lms_assets.definitions/jobs/daily_full")
    expect(page.get_by_text("Start it: Materialize all…, Latest, Launch 1 run.")).to_be_visible(timeout=MILLISECONDS)
    expect(page.get_by_text("Re-execute, From asset failure.")).to_be_visible(timeout=MILLISECONDS)
    expect(page.get_by_role("button", name="Materialize all…")).to_be_visible(timeout=MILLISECONDS)


def test_an_asset_shows_its_figures_as_plots(demo: Demo, page: Page):
    page.goto(f"{demo.interface}/assets/partner_cert_counts?view=overview")
    page.get_by_text("Plots", exact=True).first.click()
    expect(page.get_by_text("total_npcu", exact=True).last).to_be_visible(timeout=MILLISECONDS)
    expect(page.locator("canvas").first).to_be_visible(timeout=MILLISECONDS)


def materialized(run: Mapping[str, Any]) -> dict[str, dict[str, int | None]]:
    """The run's assets, each with its figures."""
    return {
        each["assetKey"]["path"][0]: {entry["label"]: entry.get("intValue") for entry in each["metadataEntries"]}
        for each in run["assetMaterializations"]
    }


@pytest.mark.long
def test_the_chain_is_started_and_resumed_by_the_clicks_that_its_page_names(demo: Demo, page: Page):
    """The latest week reads everybody; after a partial chain, what failed and all that rests on it runs again.

    In process: automation/test_partial_chain.py.
    """
    (first,) = map(demo.run, demo.runs())
    demo.faults("", kind="forbidden", endpoint="GET /groups/{id}/memberships")
    page.goto(f"{demo.interface}/locations/lms_assets.definitions/jobs/daily_full")
    page.get_by_role("button", name="Materialize all…").click()
    page.get_by_role("button", name="Latest").click()
    # The button says "Launching…" before the order is answered, and leaving the page would take the order back.
    with page.expect_response(lambda answer: "launch" in (answer.request.post_data or "").lower()) as launched:
        page.get_by_role("button", name="Launch 1 run").click()
    launched.value.finished()
    page.goto(NOTHING)
    partial = demo.next_run({first["runId"]})
    assert partial["status"] == "FAILURE"
    # Those whom it read beside the steps before it are its resumed ones.
    everybody = [
        sum(materialized(run)["enrollments"][name] or 0 for name in ("people_read", "people_resumed"))
        for run in (first, partial)
    ]
    assert everybody[0] == everybody[1]
    demo.faults("/reset")
    page.goto(f"{demo.interface}/runs/{partial['runId']}")
    page.locator("div", has_text=re.compile(r"^Re-execute all \(\*\)$")).get_by_role("button").last.click()
    page.get_by_role("menuitem", name="From asset failure").click()
    page.wait_for_url(lambda url: partial["runId"] not in url, timeout=MILLISECONDS)
    page.goto(NOTHING)
    resumed = demo.next_run({first["runId"], partial["runId"]})
    assert (resumed["status"], resumed["parentRunId"]) == ("SUCCESS", partial["runId"])
    assert set(materialized(resumed)) == RESTS_ON_MEMBERSHIPS


def test_it_reaches_nothing_but_its_sandbox_and_ctrl_c_ends_all_that_it_started(demo: Demo):
    (node,) = demo.ask(SCHEDULES)["repositoriesOrError"]["nodes"]
    assert {each["scheduleState"]["status"] for each in node["schedules"]} == {"RUNNING"}
    demo.process.send_signal(signal.SIGINT)
    demo.process.wait(LONGEST_SECONDS)
    assert demo.production.calls == 0
    left = sorted(path.name for path in demo.folder.iterdir())
    assert left == [".demo", ".env", "demo.log", "production_home", "somebody"]
    assert [path.name for path in (demo.folder / "production_home").iterdir()] == ["dagster.yaml"]
    # A fork server ends by itself as soon as it sees that its parent is gone.
    assert comes_about(lambda: not demo.processes()), demo.processes()


@pytest.mark.long
def test_a_sigterm_ends_it_in_a_scripts_background_too(tmp_path: Path):
    """There SIGINT is ignored, and what the demo starts would inherit that."""
    with running_demo(tmp_path, "trap '' INT;") as demo:
        demo.wait_for("Ctrl-C ends everything")
        demo.process.terminate()
        demo.process.wait(LONGEST_SECONDS)
        assert comes_about(lambda: not demo.processes()), demo.processes()
