"""Make emomod's own corpus (composed, rendered, labelled from the score) and train a checkpoint on it.

score -> compose -> labels -> synthesis or fluidsynth -> corpus -> fit -> card
"""
