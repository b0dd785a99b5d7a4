"""The warehouse on both of its databases."""
