"""REST v10: one module per subject; `api` takes a request from the socket to its route and back."""
