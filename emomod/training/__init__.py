"""Train a checkpoint on a corpus, and say how well it hears: fit -> release -> validation -> card."""
