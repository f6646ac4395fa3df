"""The demo: eleven order stories at once, on the embedded run, with real messages through the real adapters."""
