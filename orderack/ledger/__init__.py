"""The record (DESIGN §9): `repository.open_ledger(url)` is its door."""
