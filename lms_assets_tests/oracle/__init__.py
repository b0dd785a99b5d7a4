"""The oracle: what the portal should say, counted a second time, slowly and obviously.

From the vendors' raw data (the sandbox's `VendorState`, or the JSON of `GET /sandbox/state`) and the domain rules
alone. It shares no code with the product, so that a mistake would have to be made twice to go unnoticed.
"""

from __future__ import annotations

from lms_assets_tests.oracle.counting import (
    Expected,
    ExpectedPartner,
    Reason,
    expected,
    expected_at_each,
    push_fields,
    reasons,
    unsure_links,
)
from lms_assets_tests.oracle.crm_deactivations import Kept, Leaving, kept, leaving

__all__ = [
    "Expected",
    "ExpectedPartner",
    "Kept",
    "Leaving",
    "Reason",
    "expected",
    "expected_at_each",
    "kept",
    "leaving",
    "push_fields",
    "reasons",
    "unsure_links",
]
