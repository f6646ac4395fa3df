"""The dispute pack: one order's record in a file that anybody can check, with Python alone and no access to us."""
