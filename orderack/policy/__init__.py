"""The decision matrix: load, check, decide, explain. Pure but for reading its one file."""
