"""How fast Darkroom is beside plain diffusers, measured side by side on one machine: `python -m benchmarks`."""
