"""The operators' commands, run as people run them."""
