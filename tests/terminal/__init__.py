"""`darkroom imagine`, `doctor` and `migrate`."""
