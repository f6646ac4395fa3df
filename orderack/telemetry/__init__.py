"""What the running product says of itself: figures to be scraped, lines to be read, traces. Never a buyer's data."""
