"""Long runs in which processes are killed under load: `make soak`."""
