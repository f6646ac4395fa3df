"""The shadow run: what would have gone out against what did, and the gate before the cutover (R166–R169)."""
