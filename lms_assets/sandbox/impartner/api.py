"""The Impartner API's endpoints (Impartner API) over the sandbox's vendor state."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

from lms_assets.sandbox.calls.exchange import Call, Refused, Reply, json_reply
from lms_assets.sandbox.impartner.fields import OBJECTS, CrmObject, Field, description, shower
from lms_assets.sandbox.impartner.listing import list_of
from lms_assets.sandbox.sandbox import Sandbox
from lms_assets.sandbox.state.timestamps import from_text, to_text

Handler = Callable[[Sandbox, Call], Awaitable[Reply]]
_MOST_RECORDS = 100


async def listing(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /{Object}`."""
    return await list_of(sandbox, call, _object(call))


async def one(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /{Object}/{id}`, with all fields."""
    entry = _object(call)
    number = call.params["id"]
    row = entry.rows(sandbox.vendor_state).get(int(number) if number.isdigit() else -1)
    if row is None:
        raise Refused(404, "Not Found", f"{entry.name} {number} does not exist")
    return json_reply({"success": True, "data": shower(list(entry.fields.values()), sandbox.config)(row)})


async def deleted(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /{Object}/_deleted?fromUtc=...&toUtc=...`: ids deleted in that time, both ends included."""
    entry = _object(call)
    try:
        start, end = (to_text(from_text(call.value(name) or "")) for name in ("fromUtc", "toUtc"))
    except ValueError as error:
        raise Refused(400, "Invalid parameter", "fromUtc and toUtc must be datetimes") from error
    found = [row.id for row in sandbox.vendor_state.deletions if row.object == entry.name and start <= row.at <= end]
    return json_reply({"success": True, "data": found})


async def describe(sandbox: Sandbox, call: Call) -> Reply:
    """`GET /{Object}/_describe`."""
    return json_reply({"success": True, "data": description(_object(call))})


async def patch(sandbox: Sandbox, call: Call) -> Reply:
    """`PATCH /Account`: results in the order of the records, 200 even when some of them failed."""
    entry = _object(call)
    if entry.name != "Account":
        raise Refused(403, "Forbidden", f"this key may not write {entry.name}")
    try:
        records = call.json()
    except ValueError as error:
        raise Refused(400, "Invalid body", "send a JSON array of records") from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise Refused(400, "Invalid body", "send a JSON array of records")
    if len(records) > _MOST_RECORDS:
        raise Refused(400, "Too many", f"at most {_MOST_RECORDS} records a call")
    results = [_patched(sandbox, call, entry, record) for record in records]
    sandbox.vendor_state.touched(entry.collection)
    errors = [error for result in results for error in result.get("errors", ())]
    answer: dict[str, Any] = {"success": not errors, "results": results}
    if errors:
        answer |= {"message": f"{len(errors)} errors in {len(records)} records", "errors": errors}
    return json_reply(answer)


def _patched(sandbox: Sandbox, call: Call, entry: CrmObject, record: dict[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in record.items() if name.lower() != "id"}
    identity = next((value for name, value in record.items() if name.lower() == "id"), None)
    sandbox.stats.patched(list(values))
    row = entry.rows(sandbox.vendor_state).get(identity) if isinstance(identity, int) else None
    if row is None:
        return _failed("NotFound", f"{entry.name} {identity} does not exist")
    if row.id in sandbox.rejecting_accounts or _hit(sandbox, call, row.id):
        return _failed("ValidationFailed", "a validation rule of this account refuses the change")
    fields = []
    for name, value in values.items():
        field = entry.fields.get(name.lower())
        problem = _problem(field, value)
        if field is None or problem:
            return _failed("InvalidField", f"{name} {problem}")
        fields.append((field, value))
    if "patch_not_applied" not in call.faults:
        for field, value in fields:
            setattr(row, field.attribute, None if value == "" else value)
        row.updated = sandbox.clock.text()
    return {"success": True, "data": {"id": row.id}}


def _problem(field: Field | None, value: Any) -> str:
    if field is None:
        return "does not exist"
    if field.read_only:
        return "is read-only"
    fits = {
        "Integer": isinstance(value, int) and not isinstance(value, bool),
        "Double": isinstance(value, int | float) and not isinstance(value, bool),
        "Boolean": isinstance(value, bool),
        "String": isinstance(value, str),
    }
    return "" if value is None or fits.get(field.data_type, False) else f"must be a {field.data_type}"


def _hit(sandbox: Sandbox, call: Call, account_id: int) -> bool:
    """Whether the fault that fails records of a PATCH hits this one: the same ones for the same seed."""
    options = call.faults.get("patch_records_fail")
    if options is None:
        return False
    if "ids" in options:
        return account_id in options["ids"]
    drawn = random.Random(f"{sandbox.config.seed}/patch/{account_id}").random()
    return bool(drawn < float(options.get("share", 1.0)))


def _failed(code: str, message: str) -> dict[str, Any]:
    return {"success": False, "errors": [{"code": code, "message": message}]}


def _object(call: Call) -> CrmObject:
    entry = OBJECTS.get(call.params["object"])
    if entry is None:
        raise Refused(404, "Not Found", f"there is no object {call.params['object']}")
    return entry


# Method and template -> handler; in counters and fault rules the object's own name stands for {object}.
ENDPOINTS: dict[str, Handler] = {
    "GET /{object}": listing,
    "GET /{object}/_deleted": deleted,
    "GET /{object}/_describe": describe,
    "GET /{object}/{id}": one,
    "PATCH /{object}": patch,
}
