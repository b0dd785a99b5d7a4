"""How long a test waits for a condition before it calls it lost: far beyond what a busy machine needs."""

from __future__ import annotations

LONGEST_SECONDS = 600
"""A test waits for conditions, never for a time; this end only keeps a lost one from waiting forever."""
