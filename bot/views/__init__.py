"""Buttons, selects and modals that carry only an id."""
