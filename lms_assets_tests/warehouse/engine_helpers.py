"""What tests of the engine share: rows, how many there are, and something to do between two attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import stamina.instrumentation
from sqlalchemy import select

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema import tables as t

ROWS = [{"id": f"u{number}", "email": f"p{number}@example.com"} for number in range(3000)]


def user_count(warehouse: Warehouse) -> int:
    with warehouse.read() as connection:
        return len(connection.execute(select(t.lms_users.c.id)).all())


@contextmanager
def on_retry(act: Callable[[], None]) -> Iterator[None]:
    """Do something between a failed attempt and the next."""

    def hook(_details: stamina.instrumentation.RetryDetails) -> None:
        act()

    stamina.instrumentation.set_on_retry_hooks([hook])
    try:
        yield
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)
