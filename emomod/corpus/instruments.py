"""What the composer, the labels and the NumPy synthesiser know of General MIDI instruments: range and ring.

Programs are 0..127, in 16 families of 8. The decay is the time constant in seconds of a held
note; a note of a blown or bowed instrument sounds as long as it is held.
"""

from dataclasses import dataclass

SUSTAINED = 30.0  # s, stands for "as long as it is held"


@dataclass(frozen=True)
class Instrument:
    """Range and decay of a General MIDI program."""

    low: int  # lowest key that is comfortably in range
    high: int  # highest such key
    decay: float  # s


_FAMILIES = (
    Instrument(28, 96, 1.5),  # pianos
    Instrument(60, 96, 0.5),  # chromatic percussion
    Instrument(36, 90, SUSTAINED),  # organs
    Instrument(40, 84, 0.9),  # guitars
    Instrument(28, 60, 0.9),  # basses
    Instrument(48, 90, SUSTAINED),  # solo strings
    Instrument(40, 88, SUSTAINED),  # ensembles and voices
    Instrument(46, 80, SUSTAINED),  # brass
    Instrument(50, 82, SUSTAINED),  # reeds
    Instrument(60, 92, SUSTAINED),  # pipes
    Instrument(40, 88, SUSTAINED),  # synthesiser leads
    Instrument(40, 88, SUSTAINED),  # synthesiser pads
    Instrument(40, 88, SUSTAINED),  # synthesiser effects
    Instrument(48, 84, 0.7),  # plucked instruments of the world
    Instrument(48, 84, 0.3),  # percussive
    Instrument(48, 84, SUSTAINED),  # sound effects
)
_SPECIAL = {
    6: Instrument(36, 89, 0.8),  # harpsichord
    7: Instrument(36, 84, 0.6),  # clavinet
    11: Instrument(53, 89, 1.5),  # vibraphone
    12: Instrument(48, 91, 0.35),  # marimba
    13: Instrument(65, 96, 0.2),  # xylophone
    14: Instrument(60, 84, 2.0),  # tubular bells
    40: Instrument(55, 93, SUSTAINED),  # violin
    41: Instrument(48, 84, SUSTAINED),  # viola
    42: Instrument(36, 72, SUSTAINED),  # cello
    43: Instrument(28, 55, SUSTAINED),  # contrabass
    45: Instrument(40, 88, 0.25),  # pizzicato
    46: Instrument(36, 92, 1.0),  # harp
    57: Instrument(40, 70, SUSTAINED),  # trombone
    58: Instrument(28, 58, SUSTAINED),  # tuba
    67: Instrument(36, 68, SUSTAINED),  # baritone saxophone
    70: Instrument(34, 70, SUSTAINED),  # bassoon
    71: Instrument(50, 88, SUSTAINED),  # clarinet
    72: Instrument(72, 100, SUSTAINED),  # piccolo
}
HELD_OUT = (3, 6)  # places in their family of the programs that are kept for tests
UNDAMPED = (8, 9, 12, 13, 14, 28, 45, 46, 47, 55, 105, 108, *range(112, 118))  # short or ringing, however long held
_SEMI_SUSTAINED = (109, 110, 111)  # bagpipe, fiddle, shanai

MELODY_PROGRAMS = (*range(32), 40, 41, 42, 45, 46, *range(48, 55), *range(56, 96), *range(104, 112))
HARMONY_PROGRAMS = (*range(8), 11, 12, *range(16, 31), 45, 46, *range(48, 55), 60, 61, 62, 63, *range(80, 96))
BASS_PROGRAMS = (0, 4, *range(32, 40), 42, 43, 45, 58, 70, 16, 38, 39, 57)
ENSEMBLES = (
    *10 * ((0, 0, 0),),  # piano alone, which recordings often are
    (24, 24, 24),  # guitar alone
    (40, 48, 42),  # strings
    (45, 45, 45),  # pizzicato
    (46, 46, 46),  # harp
    (56, 60, 58),  # brass
    (52, 52, 53),  # voices
    (19, 19, 19),  # church organ
    (6, 6, 6),  # harpsichord
    (65, 0, 32),  # jazz trio
    (73, 48, 42),  # film strings with a flute
)  # programs of melody, harmony, bass that belong together; all kept for tests, or none


def instrument(program: int) -> Instrument:
    """Range and decay of ``program`` 0..127.

    >>> instrument(0).decay, instrument(48).decay
    (1.5, 30.0)
    """
    if program in _SEMI_SUSTAINED:
        return Instrument(54, 84, SUSTAINED)
    return _SPECIAL.get(program, _FAMILIES[program // 8])


def is_held_out(program: int) -> bool:
    """Whether a program is kept for tests: two of each family's eight.

    >>> [program for program in range(16) if is_held_out(program)]
    [3, 6, 11, 14]
    """
    return program % 8 in HELD_OUT
