"""LMS_EXECUTOR=k8s against an API server that plays Jobs: each becomes a process of this machine with its environment.

What a cluster adds to it (images, secrets, networks, evictions) is not tried here: there is none.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import running_sandbox
from lms_assets_tests.harness.commands import Commands
from lms_assets_tests.harness.waits import LONGEST_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.long]
SECRET, IMAGE, NAMESPACE = "lms-assets", "registry.example.com/lms-assets:0.2.0", "learning"
PROGRAMS = Path(sys.executable).parent


class Cluster:
    """The jobs that were made, and their processes. `kills`: each ends as a pod does whose machine is gone.

    `secret`: what the pods' environment holds beside what the job says.
    """

    def __init__(self, secret: dict[str, str], folder: Path) -> None:
        self.secret, self.folder = secret, folder
        self.jobs: dict[str, dict[str, Any]] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.kills = False

    def make(self, job: dict[str, Any]) -> dict[str, Any]:
        name = job["metadata"]["name"]
        (container,) = job["spec"]["template"]["spec"]["containers"]
        environment = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        for source in container.get("envFrom", []):
            if source.get("secretRef", {}).get("name") == SECRET:
                environment |= self.secret
        with (self.folder / "pods.log").open("ab") as log:
            process = subprocess.Popen(
                [PROGRAMS / container["args"][0], *container["args"][1:]],
                env={"PATH": self.secret["PATH"], **environment},
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        if self.kills:
            process.kill()
        self.jobs[name], self.processes[name] = job, process
        return job

    def status(self, name: str) -> dict[str, Any]:
        code = self.processes[name].poll()
        state = {"active": 1} if code is None else {"succeeded": 1} if code == 0 else {"failed": 1}
        return {**self.jobs[name], "status": state}


@contextmanager
def running_cluster(secret: dict[str, str], folder: Path) -> Iterator[tuple[Cluster, Path]]:
    """The API server in a thread, and a kubeconfig that leads to it."""
    cluster = Cluster(secret, folder)
    place = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == place, self.path
            self._answer(cluster.make(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def do_GET(self) -> None:
            self._answer(cluster.status(self.path.removeprefix(f"{place}/").removesuffix("/status")))

        def _answer(self, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Say nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "nobody"}}],
        "users": [{"name": "nobody", "user": {}}],
    }  # fmt: skip
    written = folder / "kubeconfig.yaml"
    written.write_text(yaml.safe_dump(config), encoding="utf-8")
    try:
        yield cluster, written
    finally:
        for process in cluster.processes.values():
            process.kill()
            process.wait(LONGEST_SECONDS)
        server.shutdown()
        server.server_close()


def test_steps_are_pods_with_the_secrets_variables_and_a_killed_one_fails_the_run(
    tmp_path: Path, ready_mariadb_url: str
):
    with running_sandbox(SandboxConfig(scale=0.005)) as sandbox:
        commands = Commands(tmp_path / "work", sandbox, ready_mariadb_url, executor="k8s")
        with running_cluster(commands.environment, commands.folder) as (cluster, kubeconfig):
            launcher = {
                "load_incluster_config": False, "kubeconfig_file": str(kubeconfig), "job_namespace": NAMESPACE,
                "service_account_name": "dagster", "instance_config_map": "dagster-instance",
                "dagster_home": str(commands.home), "job_image": IMAGE, "env_secrets": [SECRET],
            }  # fmt: skip
            written = commands.home / "dagster.yaml"
            more = {"run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": launcher}}
            written.write_text(written.read_text(encoding="utf-8") + yaml.safe_dump(more), encoding="utf-8")

            done = materialize(commands, "courses")

            pods = (commands.folder / "pods.log").read_text(encoding="utf-8")
            assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}\n{pods[-3000:]}"
            assert cluster.jobs
            for job in cluster.jobs.values():
                pod = job["spec"]["template"]["spec"]
                (container,) = pod["containers"]
                assert container["image"] == IMAGE
                assert pod["serviceAccountName"] == "dagster"
                for name in ("NORTHPASS_API_KEY", "LMS_WAREHOUSE_URL"):
                    assert commands.environment[name] not in json.dumps(job), "it stands in the secret"
            assert "courses" in {job["metadata"]["labels"]["dagster/op"] for job in cluster.jobs.values()}

            cluster.kills = True
            lost = materialize(commands, "courses")

            assert lost.returncode == 1
            assert "Discovered failed Kubernetes job" in lost.stdout + lost.stderr


def materialize(commands: Commands, asset: str) -> subprocess.CompletedProcess[str]:
    """As the UI's button does, in a process of this machine that plays the run's pod."""
    words = ("asset", "materialize", "--select", asset, "-m", "lms_assets.definitions")
    return subprocess.run(
        [PROGRAMS / "dagster", *words],
        env=commands.environment,
        cwd=commands.folder,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
