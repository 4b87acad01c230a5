"""Files that ship with emomod: demo.flac, made by examples/demo_clip.py."""
