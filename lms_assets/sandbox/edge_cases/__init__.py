"""Edge cases."""
