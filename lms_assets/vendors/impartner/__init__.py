"""Impartner."""
