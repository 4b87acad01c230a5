"""Many clips, explained, modified and re-scored on one machine or a cluster, into one store."""
