"""Tests of the dispatcher: a real worker process, on a tiny model with random weights."""
