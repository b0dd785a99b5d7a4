"""The request limit over machines: two processes that share nothing but a database server, with clocks of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

from sqlalchemy import text

from lms_assets.vendors.transport.rate_limit import RateLimiter
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state.request_log import WarehouseRequestLog
from lms_assets_tests.harness.mariadb import MariaDbServer
from lms_assets_tests.harness.waits import LONGEST_SECONDS

# Each process has a monotonic clock of its own, as machines have: the second one's is a day ahead.
MACHINE = """
import json, sys, threading, time
here = time.monotonic_ns
time.monotonic_ns = lambda: here() + int(sys.argv[2]) * 10**9
from lms_assets.vendors.transport.rate_limit import RateLimiter
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state.request_log import WarehouseRequestLog
log = WarehouseRequestLog(Warehouse(sys.argv[1]), "requests-of-a-key")
limited, moments = RateLimiter(20, log=log, clock=time.monotonic_ns), []
def work():
    for _ in range(10):
        with limited.slot():
            moments.append(time.time())
threads = [threading.Thread(target=work) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(moments))
"""


def most_in_a_second(moments: list[float]) -> int:
    return max(sum(1 for later in moments[place:] if later < first + 1) for place, first in enumerate(moments))


def test_two_machines_share_the_rate_by_the_servers_clock(ready_mariadb_url: str):
    running = [
        subprocess.Popen([sys.executable, "-c", MACHINE, ready_mariadb_url, ahead], stdout=subprocess.PIPE)
        for ahead in ("0", "86400")
    ]
    moments = sorted(
        moment for process in running for moment in json.loads(process.communicate(timeout=LONGEST_SECONDS)[0])
    )
    assert len(moments) == 60
    assert most_in_a_second(moments) <= 20


def test_the_log_outlives_a_lost_connection_and_a_machine_that_died_with_it(ready_mariadb_url: str):
    """The server frees the lock with the connection; whoever asks next connects again and knows the old requests."""
    warehouse = Warehouse(ready_mariadb_url)
    dead, log = (WarehouseRequestLog(warehouse, "requests-of-a-key") for _ in range(2))
    limited = RateLimiter(1000, log=log)
    with limited.slot():
        pass
    with dead.open(10) as (numbers, _, _):
        assert len(numbers) == 3, "a header of two, and one request"
        with warehouse.own_connection() as connection:
            for own in (dead, log):
                assert own._connection is not None
                connected = own._connection.connection.thread_id()  # type: ignore[attr-defined]
                connection.execute(text(f"KILL {connected}"))
        with limited.slot():
            pass
    with log.open(10) as (numbers, ahead, unsure):
        assert numbers[1] == 2, "both requests are known"
        assert ahead != 0
        assert 0 <= unsure < 10_000_000
    warehouse.close()


def test_a_server_that_is_away_for_a_moment_is_waited_for(mariadb: MariaDbServer, ready_mariadb_url: str):
    warehouse = Warehouse(ready_mariadb_url)
    limited = RateLimiter(1000, log=WarehouseRequestLog(warehouse, "requests-of-a-key"))
    with limited.slot():
        pass
    mariadb.kill()
    sent = threading.Event()

    def send() -> None:
        with limited.slot():
            sent.set()

    thread = threading.Thread(target=send)
    thread.start()
    mariadb.start()
    thread.join(LONGEST_SECONDS)
    assert sent.is_set()
    warehouse.close()


def test_what_no_log_holds_counts_as_an_empty_one(ready_mariadb_url: str):
    warehouse = Warehouse(ready_mariadb_url)
    for content in ("[]", '"text"', "[1e99]", "[-1, 0]", "[9000000000000, 1]"):
        with warehouse.transaction() as connection:
            put = "REPLACE INTO sync_state (name, value, updated_at) VALUES ('requests-x', :value, UTC_TIMESTAMP())"
            connection.execute(text(put), {"value": content})
        with RateLimiter(1000, log=WarehouseRequestLog(warehouse, "requests-x")).slot():
            pass
    warehouse.close()
