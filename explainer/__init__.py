"""Answers questions about runs, diffusion, and human and machine creativity."""
