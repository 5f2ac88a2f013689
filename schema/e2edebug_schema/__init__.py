"""The store: its tables, its migrations, every query that reads it."""
