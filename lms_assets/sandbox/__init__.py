"""Both vendors, served locally with made-up data. Imports nothing of the product."""
