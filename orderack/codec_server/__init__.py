"""Opens sealed payloads for Temporal's UI and command line: an HTTP app of its own, for operators and nobody else.

It holds the keys, so it is no part of the gateway, which strangers reach.
"""
