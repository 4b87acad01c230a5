"""emomod's own corpus: clips composed or arranged from scores, rendered, and labelled from what was played.

score -> compose -> labels -> synthesis or fluidsynth -> acoustics -> render
"""
