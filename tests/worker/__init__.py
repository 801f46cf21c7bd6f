"""Tests of the worker: torch runs in this process, on tiny models with random weights."""
