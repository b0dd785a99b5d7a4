"""Speed, as ratios to what the vendors' limits allow. Never run by the tests."""
