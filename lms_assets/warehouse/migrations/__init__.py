"""The versions of the warehouse's tables: which one a database has, and how it gets the newest."""
