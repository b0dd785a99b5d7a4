"""Both vendors in a process of their own, which records every call. Arguments: PORT SCALE LIMIT LATENCY JITTER."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import serve

READ = {
    "GET /courses",
    "GET /properties/courses",
    "GET /people",
    "GET /groups",
    "GET /groups/{id}/memberships",
    "GET /transcripts/{id}",
    "GET /Account",
    "GET /User",
    "GET /Region",
}
"""What a full read asks for, each address once."""
EMPTY_BYTES = 400
BELOW = {"northpass": "/v2", "impartner": "/api/objects/v1"}
"""Where each vendor's addresses begin."""


class Call(NamedTuple):
    """One call as it came to a vendor's door."""

    at: float
    vendor: str
    endpoint: str
    address: str
    status: int
    size: int

    @property
    def beyond_the_end(self) -> bool:
        """Whether it asked for a page after the last one, or asked again in another way."""
        later = "page=" in self.address and "page=1&" not in self.address
        return (later and self.size < EMPTY_BYTES) or "limit=97" in self.address or "Id+" in self.address


@dataclass(frozen=True)
class Vendors:
    """Both vendors, served until the end of `vendors`."""

    url: str
    limit: int
    latency_seconds: float

    def take_calls(self) -> list[Call]:
        """The calls since the last time, by arrival."""
        calls = sorted(Call(*each) for each in self._get("arrivals")["arrivals"])
        self._post("stats/reset", {})
        return calls

    def state(self) -> dict[str, Any]:
        """All of the vendors' data."""
        return dict(self._get("state"))

    def change(self, actions: list[dict[str, Any]]) -> None:
        """Do these actions of the sandbox."""
        self._post("mutate", actions)

    def _get(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/sandbox/{what}") as answer:
            return json.load(answer)

    def _post(self, what: str, body: Any) -> None:
        request = urllib.request.Request(f"{self.url}/sandbox/{what}", json.dumps(body).encode(), method="POST")
        urllib.request.urlopen(request).close()


def needed(calls: list[Call], vendor: str) -> int:
    """The least number of calls that read what these calls read: every address once, without the asking again."""
    return len(read_addresses([each for each in calls if each.vendor == vendor]))


def read_addresses(calls: list[Call]) -> frozenset[str]:
    """What a full read has to ask for of what these calls asked for."""
    return frozenset(
        BELOW[each.vendor] + each.address for each in calls if each.endpoint in READ and not each.beyond_the_end
    )


@contextlib.contextmanager
def vendors(port: int, scale: float, limit: int, latency_ms: float, jitter_ms: float) -> Iterator[Vendors]:
    """Serve them: before the chain where this user may, since a vendor's machine does no work of its client."""
    arguments = [str(each) for each in (port, scale, limit, latency_ms, jitter_ms)]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.vendors", *arguments], stdout=subprocess.DEVNULL)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, -10)
    served = Vendors(f"http://127.0.0.1:{port}", limit, latency_ms / 1000)
    try:
        _wait_for(served.url, process)
        yield served
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    sys.exit("the vendors could not be served")


if __name__ == "__main__":
    port, scale, limit, latency, jitter = (float(each) for each in sys.argv[1:])
    config = SandboxConfig(
        scale=scale,
        northpass_rps=int(limit),
        impartner_rps=int(limit),
        latency_ms=latency,
        jitter_ms=jitter,
        record_calls=True,
    )
    serve(config, "127.0.0.1", int(port))
