"""X12: interchanges read and written. Pure: bytes and values in, values and bytes out (docs/edi.md)."""
