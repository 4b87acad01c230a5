"""Listening studies: from modified clips to what people heard. Nothing is here yet."""
