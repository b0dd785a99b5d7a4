"""What people would write by hand: the addresses of a full read, asked for by many threads at the limit; none is kept.

No proof that a listing was complete, no linking, no database: the least time in which the same can be read.
Arguments: URL LIMIT FILE, the file with an address a line.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

KEYS = {
    "X-Api-Key": "sandbox-northpass-key",
    "Authorization": "prm-key sandbox-impartner-key",
    "X-PRM-TenantId": "1",
}
THREADS = 32


class Pace:
    """At most so many a second: each call has its own moment."""

    def __init__(self, limit: int) -> None:
        self._apart = 1.021 / limit
        self._following = time.monotonic()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for the next moment."""
        with self._lock:
            moment = self._following = max(time.monotonic(), self._following + self._apart)
        time.sleep(max(0.0, moment - time.monotonic()))


def main(url: str, limit: int, file: Path) -> int:
    """Ask for all of them, both vendors side by side; 1 when an answer was an error other than 404."""
    addresses = file.read_text().split()
    crm = [each for each in addresses if each.startswith("/api/")]
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=2 * THREADS))

    def get(address: str, pace: Pace) -> bool:
        pace.wait()
        answer = session.get(url + address, headers=KEYS)
        return answer.ok or answer.status_code == 404

    with ThreadPoolExecutor(THREADS) as lms_pool, ThreadPoolExecutor(THREADS) as crm_pool:
        lms_pace, crm_pace = Pace(limit), Pace(limit)
        asked = [crm_pool.submit(get, each, crm_pace) for each in crm]
        asked += [lms_pool.submit(get, each, lms_pace) for each in addresses if not each.startswith("/api/")]
        return int(not all(each.result() for each in asked))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) or 1000, Path(sys.argv[3])))
