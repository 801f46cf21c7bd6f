"""Tests of what Darkroom does, with real parts: see CONTRIBUTING.md."""
