"""What the sandbox's tests call it with: plain requests, as an independent client would."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import requests

from lms_assets.sandbox import IMPARTNER_KEY, IMPARTNER_TENANT, NORTHPASS_KEY, SandboxConfig, SandboxHandle

NOW = datetime(2026, 3, 31, 10, 0, tzinfo=UTC)
NOW_TEXT = "2026-03-31T10:00:00Z"


def settings(**values: Any) -> SandboxConfig:
    return SandboxConfig(**({"scale": 0.02, "now": NOW, "northpass_rps": 0, "impartner_rps": 0} | values))


class Caller:
    """Both vendors' keys, a session, and the sandbox called."""

    def __init__(self, handle: SandboxHandle) -> None:
        self.handle = handle
        self.vendor_state = handle.vendor_state
        self.session = requests.Session()

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def northpass(self, path: str, method: str = "GET", **values: Any) -> requests.Response:
        """`path` after /v2, or a whole URL."""
        url = path if path.startswith("http") else self.handle.northpass_url + path
        headers = {"X-Api-Key": NORTHPASS_KEY}
        return self.session.request(method, url, headers=headers, timeout=10, allow_redirects=False, **values)

    def impartner(self, path: str, method: str = "GET", **values: Any) -> requests.Response:
        """`path` after /api/objects/v1; further values are query parameters, `json` the body."""
        headers = {"Authorization": f"prm-key {IMPARTNER_KEY}", "X-PRM-TenantId": IMPARTNER_TENANT}
        body = values.pop("json", None)
        url = self.handle.impartner_url + path
        return self.session.request(method, url, headers=headers, timeout=10, json=body, params=values)

    def pages(self, path: str, at_most: int = 50) -> list[dict[str, Any]]:
        """All pages of a Northpass listing, following `links.next`."""
        separator = "&" if "?" in path else "?"
        url, found = path if "limit=" in path else f"{path}{separator}limit=100", []
        while url and len(found) < at_most:
            answer = self.northpass(url)
            assert answer.status_code == 200, answer.text
            found.append(answer.json())
            url = found[-1]["links"].get("next")
        return found

    def rows(self, path: str) -> list[dict[str, Any]]:
        """All rows of a Northpass listing."""
        return [row for page in self.pages(path) for row in page["data"]]

    def ids(self, path: str) -> list[str]:
        return [row["id"] for row in self.rows(path)]

    def records(self, name: str, **values: Any) -> list[dict[str, Any]]:
        """The results of one Impartner page."""
        answer = self.impartner(f"/{name}", **({"orderby": "Id", "take": 100} | values))
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["results"]

    def control(self, path: str, **body: Any) -> Any:
        """GET without a body, POST with one; the JSON answered."""
        url = self.handle.control_url + path
        answer = self.session.post(url, json=body, timeout=10) if body else self.session.get(url, timeout=10)
        return answer.json()

    def case(self, name: str) -> Any:
        """The ids of an edge-case case; the id itself when there is only one."""
        found = self.vendor_state.cases[name]
        return found[0] if len(found) == 1 else found
