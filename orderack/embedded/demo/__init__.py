"""The demo: its order stories, all at once, on the embedded run, with real messages through the real adapters."""
