"""Login and transport that several adapters share. Knows no message, no order and no vendor's field."""
