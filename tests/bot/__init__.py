"""The bot as a person on Discord meets it."""
