"""Tier 2 users and groups."""
