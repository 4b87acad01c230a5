"""Errors that a user of emomod can cause and cure."""


class EmomodError(Exception):
    """Root of every error that emomod raises on purpose."""


class InputError(EmomodError, ValueError):
    """An argument or a file does not have the promised form."""
