"""Dagster's real webserver, and a real nginx with the configuration in `deploy/` before it."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lms_assets_tests.harness.commands import wait_until
from lms_assets_tests.harness.environment import ROOT
from lms_assets_tests.harness.waits import LONGEST_SECONDS

HOST = "dagster.example.com"
LOGIN = ("operator", "made-up password")
CONFIGURATION = ROOT / "deploy" / "nginx" / "lms-assets.conf"
NGINX_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def nginx_program() -> str | None:
    """Where nginx is, also for users whose path lacks the system's programs."""
    return shutil.which("nginx") or shutil.which("nginx", path=NGINX_PATH)


@dataclass(frozen=True)
class Reply:
    """An answer: `text` is its body."""

    status: int
    text: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Proxied:
    """Both ports on this machine, and the webserver's Dagster home."""

    port: int
    webserver_port: int
    home: Path

    @property
    def origin(self) -> str:
        """What the browser calls the UI's own page."""
        return f"https://{HOST}:{self.port}"

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: str | None = None) -> Reply:
        """One request through nginx, with the Host of the UI unless another is given."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=LONGEST_SECONDS)
        try:
            connection.request(method, path, body, {"Host": f"{HOST}:{self.port}", **(headers or {})})
            answer = connection.getresponse()
            return Reply(answer.status, answer.read().decode(errors="replace"), dict(answer.getheaders()))
        finally:
            connection.close()


@contextmanager
def proxied_webserver(folder: Path) -> Iterator[Proxied]:
    """Start both, and end both by their process."""
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (folder / "workspace.yaml").write_text("load_from: []\n")
    made = Proxied(_free_port(), _free_port(), home)
    webserver = [str(Path(sys.executable).with_name("dagster-webserver")), "-w", str(folder / "workspace.yaml")]
    with (
        _started([*webserver, "-p", str(made.webserver_port)], made.webserver_port, folder, DAGSTER_HOME=str(home)),
        _started(_nginx(folder, made), made.port, folder),
    ):
        yield made


def _nginx(folder: Path, made: Proxied) -> list[str]:
    certificate, key, logins = folder / "certificate.pem", folder / "key.pem", folder / "logins"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
    subprocess.run([*command, "-out", str(certificate), "-keyout", str(key)], check=True, capture_output=True)
    hashed = subprocess.run(["openssl", "passwd", "-6", LOGIN[1]], check=True, capture_output=True, text=True)
    logins.write_text(f"{LOGIN[0]}:{hashed.stdout.strip()}\n")
    replaced = {
        "listen 443 ssl": f"listen 127.0.0.1:{made.port} ssl",
        f'"https://{HOST}"': f'"{made.origin}"',
        "127.0.0.1:3000": f"127.0.0.1:{made.webserver_port}",
        f"/etc/ssl/certs/{HOST}.pem": str(certificate),
        f"/etc/ssl/private/{HOST}.key": str(key),
        "/etc/nginx/lms-assets.htpasswd": str(logins),
    }
    text = CONFIGURATION.read_text(encoding="utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for old, new in replaced.items():
        assert old in text, f"{CONFIGURATION.name} no longer has {old}"
        text = text.replace(old, new)
    assert not re.search(r"/etc/|\b443\b|\b3000\b", text), "the test would use the machine's own files or ports"
    (folder / "site.conf").write_text(text)
    paths = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
    if os.geteuid() == 0:
        main = f"user root;\n{main}"
    (folder / "nginx.conf").write_text(f"{main}http {{\naccess_log off;\n{paths}include {folder}/site.conf;\n}}\n")
    program = nginx_program()
    assert program is not None
    return [program, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log")]


@contextmanager
def _started(command: list[str], port: int, folder: Path, **environment: str) -> Iterator[None]:
    output = folder / f"{Path(command[0]).name}.log"
    with output.open("w") as log:
        process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        assert wait_until(lambda: _answers(port), process), output.read_text()
        yield
    finally:
        process.terminate()
        process.wait(LONGEST_SECONDS)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
