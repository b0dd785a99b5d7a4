"""What is looked at before the first run: one line for each thing, with what to do about it."""
