"""The research datasets that a user brings: their tables, their sounds, their splits, and what is wrong with them."""
