"""A study as a folder for the tool that runs it; a file for each tool, and what they share."""
