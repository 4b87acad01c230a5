"""Listening studies: from modified clips to what people heard. Empty so far."""
