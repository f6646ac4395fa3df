"""The real workflow in a seeded world without a server: see docs/simulation.md."""
