"""New columns get what follows from the columns that are there already, and nothing that another program wrote."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lms_assets.warehouse.migrations.backfill import fill_transcript_read_at
from lms_assets.warehouse.results.counts import write_counts
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import upsert
from lms_assets_tests.warehouse.table_rows import stored


@pytest.mark.parametrize("ours", [True, False])
def test_when_a_transcript_was_read_is_taken_over_only_where_we_have_counted(warehouse, now, ours):
    read = now - timedelta(days=1)
    people = [{"id": "read", "enrollment_synced_at": read}, {"id": "never", "enrollment_synced_at": None}]
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, people, key=("id",), now=now)
        if ours:
            write_counts(connection, [], as_of=now, now=now)
        for _ in range(2):
            fill_transcript_read_at(connection)
    expected = read if ours else None
    assert stored(warehouse, t.lms_users, "id", "transcript_read_at") == [("never", None), ("read", expected)]
