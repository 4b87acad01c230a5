"""Small MIDI files of known notes."""

import mido

PPQ = 480
MELODY = [(0, 72), (1, 74), (2, 76), (3, 77), (4, 79), (5, 77), (6, 76), (7, 74)]
CHORDS = [(bar, key) for bar in (0, 4) for key in (48, 52, 55)]


def write(path, tracks, *, meter=(4, 4), tempo=500000):
    """A MIDI file of tracks (name, channel, notes of a beat: (onset, key)); onsets are beats."""
    file = mido.MidiFile(type=1, ticks_per_beat=PPQ)
    head = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=tempo)])
    if meter:
        head.append(mido.MetaMessage("time_signature", numerator=meter[0], denominator=meter[1]))
    file.tracks.append(head)
    for name, channel, notes in tracks:
        events = [(round(on * PPQ), 1, key) for on, key in notes] + [
            (round((on + 1) * PPQ), 0, key) for on, key in notes
        ]
        track, now = mido.MidiTrack([mido.MetaMessage("track_name", name=name)]), 0
        for ticks, on, key in sorted(events):
            kind = "note_on" if on else "note_off"
            track.append(mido.Message(kind, channel=channel, note=key, velocity=90 if on else 0, time=ticks - now))
            now = ticks
        file.tracks.append(track)
    file.save(path)
    return path
