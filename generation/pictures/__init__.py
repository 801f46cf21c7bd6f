"""Strips, timelapses, overlays and plots, drawn with Pillow; no torch."""
