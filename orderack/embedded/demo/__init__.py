"""The demo: its order stories, side by side on the embedded run, with real messages through the real adapters."""
