"""The plain page at `/`: what the sandbox serves and how to steer it."""

from __future__ import annotations

from html import escape

from lms_assets.sandbox.changes.changes import ACTIONS, signature_of
from lms_assets.sandbox.faults.kinds import KINDS
from lms_assets.sandbox.sandbox import Sandbox

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox of both vendors</title>
<style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}}
code,pre{{font:14px/1.5 ui-monospace,monospace}}pre{{background:#f4f4f4;padding:1rem;overflow:auto}}
td,th{{text-align:left;vertical-align:top;padding:.1rem 1rem .1rem 0}}</style>
<h1>Sandbox of both vendors</h1>
<p>Made-up data, seed {seed}, scale {scale}; it refers to {now}. Clock: {clock}.</p>
<h2>The vendors</h2>
<table>
<tr><td>Northpass</td><td><code>{base}/v2</code></td><td>X-Api-Key: the key of the sandbox's settings</td></tr>
<tr><td>Impartner</td><td><code>{base}/api/objects/v1</code></td>
<td>Authorization: prm-key …, X-PRM-TenantId</td></tr>
</table>
<table>{sizes}</table>
<h2>Steering it</h2>
<pre>curl {base}/sandbox/stats
curl -X POST {base}/sandbox/stats/reset
curl {base}/sandbox/calls
curl {base}/sandbox/arrivals
curl {base}/sandbox/state
curl {base}/sandbox/faults
curl -X POST {base}/sandbox/mutate -d '{{"action": "rename_account", "account": 1001, "name": "Other"}}'
curl -X POST {base}/sandbox/faults -d '{{"kind": "server_error", "endpoint": "GET /people", "first": 2}}'
curl -X POST {base}/sandbox/faults/reset</pre>
<h2>Actions</h2><table>{actions}</table>
<h2>Faults</h2><table>{faults}</table></html>"""


def index_html(sandbox: Sandbox, base: str) -> str:
    """The page; `base` is the sandbox's own URL without a trailing slash."""
    vendor_state = sandbox.vendor_state
    sizes = {
        "people": len(vendor_state.people),
        "groups": len(vendor_state.groups),
        "courses": len(vendor_state.courses),
        "accounts": len(vendor_state.accounts),
        "contacts": len(vendor_state.users),
        "leads": len(vendor_state.leads),
    }
    return _PAGE.format(
        seed=vendor_state.seed,
        scale=vendor_state.scale,
        now=vendor_state.now,
        clock=sandbox.clock.text(),
        base=escape(base),
        sizes=_rows({name: f"{count:,}" for name, count in sizes.items()}),
        actions=_rows({name: signature_of(name) for name in sorted(ACTIONS)}),
        faults=_rows({name: kind.meaning for name, kind in KINDS.items()}),
    )


def _rows(cells: dict[str, str]) -> str:
    return "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in cells.items())
