"""docs/batch.md says what is so."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from small_batches import small_store

from emomod.batch.recipe import Recipe, recipe_of
from emomod.batch.tables import COLUMNS
from emomod.cli.main import build_parser
from emomod.pipeline import ModifySettings
from emomod.reading.yaml_files import import_yaml
from emomod.rescoring import CONTROL_KINDS
from emomod.result import DIRECTIONS

YAML = import_yaml(extra="batch")
TEXT = (Path(__file__).parents[1] / "docs" / "batch.md").read_text(encoding="utf-8")


def block(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def rows_after(heading):
    """The cells of the table that begins with a heading."""
    lines = TEXT[TEXT.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_recipe_against_the_dataclass():
    told = {row[0].strip("`"): row[1].strip("`") for row in rows_after("| field | default |")}
    assert list(told) == [field.name for field in fields(Recipe)]
    for field in fields(Recipe):
        if field.default is not MISSING:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert (YAML.safe_load(told[field.name]) or "") == (default or "") or told[field.name] == str(default)
    modify = next(row[2] for row in rows_after("| field | default |") if row[0] == "`modify`")
    assert set(re.findall(r"`([a-z_]+)`", modify)) == {field.name for field in fields(ModifySettings)} - {"seed"}


def test_recipe_against_the_reader():
    assert recipe_of(YAML.safe_load(block("yaml")[0])).keep == ("explanation",)


@pytest.mark.parametrize("name", COLUMNS)
def test_tables_against_their_columns(name):
    told = re.findall(r"`([A-Za-z_0-9]+)`", " ".join(cell for row in rows_after(f"| `{name}` |") for cell in row))
    written = {
        column.replace("KIND", kind).replace("VERSION", version)
        for column in told
        for kind in CONTROL_KINDS
        for version in DIRECTIONS
    }
    assert set(COLUMNS[name]) <= written
    assert written - set(COLUMNS[name]) <= {"count", "energy", *DIRECTIONS}


def test_example_in_pandas_runs(tmp_path, monkeypatch, capsys):
    small_store(tmp_path, n_clips=2)
    monkeypatch.chdir(tmp_path)
    exec(compile(block("python")[0], "docs/batch.md", "exec"), {})
    assert {"articulation", "energy"} <= set(capsys.readouterr().out.split())


def test_commands_against_the_parser():
    commands = [line.split("#")[0].split() for each in block("sh") for line in each.splitlines()]
    emomod = [words[1:] for words in commands if words[:1] == ["emomod"]]
    assert len(emomod) == 3
    for words in emomod:
        build_parser().parse_args(words)
