"""Tests of what measures Darkroom: that it compares like with like, and says it right."""
