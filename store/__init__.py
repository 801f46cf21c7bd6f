"""The only SQL: tables, sessions, and one module per subject."""
