"""Broken and hostile files for every reader: whatever comes, a reader gives its result or one clear error."""
