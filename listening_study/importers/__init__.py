"""Results of listening-test tools as answers of a study; a file for each tool, and what they share."""
