"""Orders in, whichever door they come through: recorded first, then told to their workflow."""
