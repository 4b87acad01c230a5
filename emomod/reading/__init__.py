"""Files from anywhere, read within bounds: too large, too deep or not what they should be is one InputError."""
