"""Whatever a vendor answers: records, or a typed error. Never another exception."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lms_assets.domain.counting.push_plan import same_value
from lms_assets.vendors.endpoints import Impartner, Northpass
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.impartner.responses import (
    deleted_ids,
    described_fields,
    records_asked_for,
    rows_and_count,
    with_fields,
)
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.northpass.pages import changed_since, identity_of, one_resource, rows_and_link
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.vendors.transport.responses import Reader, RefusedInBody, ShapeError, error_summary
from lms_assets_tests.vendors.scripted import Reply, ScriptedServer, impartner, northpass

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
keys = st.sampled_from(
    [
        *["data", "links", "next", "id", "Id", "attributes", "updated_at", "results", "count", "success", "errors"],
        *["code", "title", "message", "detail", "fields", "name", "isReadOnly"],
    ]
) | st.text(max_size=5)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
)

PARSERS = [rows_and_link, one_resource, rows_and_count, deleted_ids, described_fields, records_asked_for({1}, ["A"])]


@given(json_values)
@settings(max_examples=300)
def test_every_parser_gives_a_value_or_says_what_is_wrong(body: Any) -> None:
    for parse in PARSERS:
        with contextlib.suppress(ShapeError, RefusedInBody):
            parse(body)
    assert isinstance(error_summary(body), str)


@given(st.dictionaries(keys, json_values, max_size=5))
@settings(max_examples=200)
def test_every_record_can_be_handled(record: dict[str, Any]) -> None:
    converted = with_fields(["Name"])(record)
    assert set(converted) == {"Id", "Name"}
    assert identity_of(record) is None or isinstance(identity_of(record), str)
    assert changed_since(record, "updated_at", datetime(2026, 1, 1, tzinfo=UTC)) in (True, False)
    assert same_value(record.get("id"), record.get("data")) in (True, False)


CALLS: dict[str, Callable[[NorthpassClient, ImpartnerClient], Any]] = {
    "people": lambda lms, crm: list(lms.people(datetime(2026, 1, 1, tzinfo=UTC))),
    "transcript": lambda lms, crm: list(lms.transcript("p1")),
    "person": lambda lms, crm: lms.person("p1"),
    "removal": lambda lms, crm: lms.remove_members("g1", ["p1"]),
    "accounts": lambda lms, crm: list(crm.list("Account", ["Name"])),
    "by ids": lambda lms, crm: crm.by_ids("Account", [1], ["Name"]),
    "describe": lambda lms, crm: crm.describe("Account"),
    "patch": lambda lms, crm: crm.patch_accounts([{"Id": 1, "Total_NPCU__cf": 1}], same=same_value),
}


@pytest.mark.parametrize("name", CALLS)
@given(body=json_values)
@example(body={"data": [{"id": "\ud800"}]})
@example(body={"success": False, "errors": [{"code": {}, "message": []}]})
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_gives_records_or_a_typed_error(server: ScriptedServer, name: str, body: Any) -> None:
    server.answer = lambda seen: Reply(body)
    with contextlib.suppress(VendorError):
        CALLS[name](northpass(server), impartner(server))


@given(st.binary(max_size=200))
@example(b"[" * 100_000)
@example(b"9" * 5000)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_a_typed_error(server: ScriptedServer, content: bytes) -> None:
    server.answer = lambda seen: Reply(content)
    with pytest.raises(VendorError):
        northpass(server).person("p1")


def test_readers_are_values() -> None:
    assert Reader("Northpass", (), 1, 1) == Reader("Northpass", (), 1, 1)
    assert Northpass.PERSON.label == "GET /people/{id}"
    assert not Impartner.PATCH.of("Account").repeatable
