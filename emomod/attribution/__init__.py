"""Ways to give every component a weight on every score."""
