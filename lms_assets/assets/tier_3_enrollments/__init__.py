"""Tier 3 enrollments."""
