"""Tier 4 aggregation and push."""
