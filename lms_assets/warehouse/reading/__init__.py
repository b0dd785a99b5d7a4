"""Reading the warehouse, one module a tier. Gives plain values, never rows of the database; writes nothing."""
