"""The database's history, step by step. Alembic only; reads `store.tables`."""
