"""The networks, their checkpoints, and the seam through which the rest of emomod calls a model."""
