"""The queue and the studio over a real store, with a worker that the test plays."""
