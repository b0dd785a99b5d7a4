"""When things run and who hears of it."""
