"""emomod on the command line: one small file for each command."""
