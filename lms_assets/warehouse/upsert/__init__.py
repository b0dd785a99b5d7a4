"""Upsert."""
