"""The operators' board: one page that shows how the orders stand, and the acts of the command line by a click."""
