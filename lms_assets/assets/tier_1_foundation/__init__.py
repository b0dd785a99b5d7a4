"""Tier 1 foundation."""
