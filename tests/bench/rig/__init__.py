"""The stage of the benches that run orders side by side: the same server, the same sandbox, other workers."""
