"""Hands work to worker processes: one over a pipe, or many over a network."""
