"""The command that a card names for a corpus makes that corpus again."""

import shlex
from dataclasses import asdict

import pytest

from emomod.cli.corpus import render_command
from emomod.cli.main import build_parser
from emomod.corpus import render
from emomod.corpus.command import rendering_command
from emomod.corpus.store import CorpusSettings


@pytest.mark.parametrize(
    ("settings", "soundfont"),
    [
        (CorpusSettings(40, seed=3, synthesiser="numpy"), None),
        (CorpusSettings(12000, couples=True), "FluidR3_GM.sf2"),
        (CorpusSettings(600, score_share=2 / 3, scores="my songs", held_out=True, stems=True), "TimGM6mb.sf2"),
    ],
)
def test_the_command_of_a_corpus_against_itself_gives_its_settings(settings, soundfont, monkeypatch):
    scores = {"folder": settings.scores, "n_songs": 3} if settings.scores else None
    described = {"settings": asdict(settings), "scores": scores, "soundfont": soundfont}
    found = []

    def render_corpus(out, made, **_):
        found.append((str(out), made))
        return {}

    monkeypatch.setattr(render, "render_corpus", render_corpus)
    words = shlex.split(rendering_command("mine", described))
    assert words[0] == "emomod"
    render_command(build_parser().parse_args(words[1:]))
    ((out, made),) = found
    named = "TimGM6mb.sf2" if soundfont == "TimGM6mb.sf2" else None  # the usual one is found without its name
    assert (out, asdict(made)) == ("mine", asdict(settings) | {"soundfont": named})
