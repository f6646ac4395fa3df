"""One offline checker of a run's logs against the invariants I1 to I20 (docs/reliability.md)."""
