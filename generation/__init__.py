"""Turns a request into a picture and a record of how it was made."""
