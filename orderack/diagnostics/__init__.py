"""What the record of many orders says: where the gap is, what a changed policy would do, whether to go live."""
