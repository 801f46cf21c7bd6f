"""The worker process: everything that imports torch."""
