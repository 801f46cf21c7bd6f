"""Strips, timelapses and the drawing they share."""
