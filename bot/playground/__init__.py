"""The token-less local channel: a loopback Discord and the page that shows it."""
