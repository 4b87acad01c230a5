"""The notebooks of examples hold no outputs as they are committed; executed, each shows what its text speaks of."""

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ("sources_and_tags", "two_levels")
CELL_SECONDS = 300  # most that a cell may take; on an idle machine none takes 15
ONE_THREAD = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "OMP_NUM_THREADS": "1"}
TAGS = {"player": "<audio ", "table": "<table", "picture": "<img ", "page": "<iframe "}
SHOWN = {  # what a cell shows, by the beginning of its last line; no other cell shows anything
    "two_levels": {
        "HTML(player_html(clip.y": {"player": 1},
        "prediction": {"table": 1},
        'HTML(table_html(("emotion"': {"table": 1},
        "draw_effects(": {"picture": 1},
        "figure": {"picture": 1},
        'HTML(table_html(("setting"': {"table": 1},
        'HTML(table_html(("a segment': {"table": 1},
        "Markdown(explain_in_words(": {"words": 1},
        "draw_components(": {"picture": 1},
        "draw_sides(": {"picture": 1},
        "explanation": {"table": 1, "picture": 2},
        "changed": {"player": 5, "table": 1},
        'HTML("".join(player_html(y': {"player": 2},
        "draw_controls(": {"picture": 1},
        'HTML(table_html(("version"': {"table": 1},
    },
    "sources_and_tags": {
        'HTML(table_html(("what plays': {"table": 1},
        'HTML("".join(player_html(clip.': {"player": 4},
        "HTML(player_html(stems.mix": {"player": 1},
        "draw_parts(": {"picture": 1},
        "HTML(player_html(alone": {"player": 1},
        'HTML(table_html(("components"': {"table": 1},
        'HTML("".join(players': {"player": 4},
        "HTML(player_html(sounds": {"player": 1},
        "tags": {"table": 1, "picture": 1},
        'HTML(table_html(("window from"': {"table": 1},
        'HTML("".join(player_html(result.': {"player": 2},
        "result": {"page": 1},
    },
}


def cells_of(notebook: Any, kind: str) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


class Executed:
    """The outputs of a notebook's code cells by the last line of each."""

    def __init__(self, notebook: Any) -> None:
        self.outputs = {cell["source"].splitlines()[-1]: cell["outputs"] for cell in cells_of(notebook, "code")}

    def html(self, beginning: str) -> str:
        """What the one cell shows whose last line begins so."""
        (found,) = [outputs for line, outputs in self.outputs.items() if is_of(line, beginning)]
        return "".join(output["data"].get("text/html", "") for output in found)

    def rows(self, beginning: str) -> list[list[str]]:
        """The rows of that cell's table, without its header."""
        body = self.html(beginning).partition("<tbody>")[2].replace("−", "-")
        return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", body)]

    def players(self, beginning: str) -> list[str]:
        """The titles of that cell's players."""
        return re.findall(r'aria-label="(.*?)"', self.html(beginning))


def is_of(line: str, beginning: str) -> bool:
    return line == beginning if beginning.isidentifier() else line.startswith(beginning)


def kinds_shown(outputs: list[Any]) -> Counter[str]:
    """How many tables, players, pictures and pages are shown, and how many texts alone."""
    found: Counter[str] = Counter()
    for output in outputs:
        assert output["output_type"] in ("execute_result", "display_data"), output  # nothing printed, no warnings
        html = output["data"].get("text/html", "")
        found.update({kind: html.count(tag) for kind, tag in TAGS.items() if tag in html})
        found["picture"] += "image/png" in output["data"]
        found["words"] += "text/markdown" in output["data"]
    return +found


def executed(name: str, folder: Path) -> Executed:
    """Run a notebook beside a copy of the other files of examples; it must leave nothing behind."""
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient: pip install nbclient ipykernel")
    pytest.importorskip("ipykernel", reason="needs ipykernel: pip install nbclient ipykernel")
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat: pip install nbformat")
    here, temporary = folder / "examples", folder / "tmp"
    shutil.copytree(EXAMPLES, here, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    temporary.mkdir()
    before = sorted(here.rglob("*"))
    notebook = nbformat.read(here / f"{name}.ipynb", as_version=4)
    others = {"IPYTHONDIR": str(folder / "ipython"), "TORCHINDUCTOR_CACHE_DIR": str(folder / "torch")}
    kernel = os.environ | ONE_THREAD | others | {"TMPDIR": str(temporary)}
    kernel.pop("MPLBACKEND", None)  # so that the kernel draws into the notebook
    client = nbclient.NotebookClient(
        notebook, timeout=CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(here)}}
    )
    client.execute(env=kernel)
    assert sorted(here.rglob("*")) == before
    assert list(temporary.iterdir()) == []
    return Executed(notebook)


def what_two_levels_says(shown: Executed) -> None:
    """Effects add up; a clip R² of silence says little; the change moves the score as said, further than others."""
    for _, *parts, total in shown.rows('HTML(table_html(("emotion"'):
        assert sum(map(float, parts)) == pytest.approx(float(total), abs=0.006)  # of nine rounded to 0.001
    (_, *at_clip), *neighbourhood = shown.rows('HTML(table_html(("a segment')
    assert min(map(float, at_clip)) > 0.9
    silent, quieter = np.array([row[1:] for row in neighbourhood], dtype=float).T
    assert silent.shape == (7,)
    assert (silent < quieter).all()
    assert silent.min() < 0.5
    as_in_2019, ours = (float(title.split()[-2]) for title in shown.players('HTML("".join(player_html(y'))
    assert as_in_2019 < 60 < 100 < ours
    for version, _, change, _, _, p in shown.rows('HTML(table_html(("version"'):
        assert float(change) * {"enhanced": 1, "weakened": -1}[version] > 0
        assert float(p) <= 0.05


def what_sources_and_tags_says(shown: Executed) -> None:
    """The classifier goes by the drums and the explanation says so; drums are tagged for the drums where they play."""
    chances = dict(shown.rows('HTML(table_html(("what plays'))
    assert float(chances["piano with drums"]) > float(chances["guitar without drums"])
    assert shown.players("HTML(player_html(alone")[0].startswith("drums")
    stems, *others = shown.rows('HTML(table_html(("components"')
    assert stems[-1] == "1.000"
    assert [row[0] for row in others] == ["hpss", "nmf:n=6", "felzenszwalb"]
    assert all(0.0 <= float(row[2]) <= 1.0 for row in (stems, *others))
    before, after = shown.rows('HTML(table_html(("window from"')
    assert before[-1] == "silent"
    assert float(after[-1]) > max(map(float, after[2:-1]))


SAYS: dict[str, Callable[[Executed], None]] = {
    "two_levels": what_two_levels_says,
    "sources_and_tags": what_sources_and_tags_says,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_notebook_against_its_text(name, tmp_path):
    shown = executed(name, tmp_path)
    for beginning, wanted in SHOWN[name].items():
        lines = [line for line in shown.outputs if is_of(line, beginning)]
        assert len(lines) == 1, beginning
        assert kinds_shown(shown.outputs[lines[0]]) == wanted, beginning
    assert sum(bool(outputs) for outputs in shown.outputs.values()) == len(SHOWN[name])
    SAYS[name](shown)


def test_notebooks_against_the_folder():
    assert sorted(path.stem for path in EXAMPLES.glob("*.ipynb")) == sorted(NAMES) == sorted(SHOWN) == sorted(SAYS)


@pytest.mark.parametrize("name", NAMES)
def test_notebook_against_what_is_committed(name):
    notebook = json.loads((EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["metadata"]["kernelspec"]["name"]) == (4, "python3")
    assert notebook["metadata"]["language_info"] == {"name": "python"}  # not the version that it was run with
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in cells_of(notebook, "code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.mark.parametrize("name", NAMES)
def test_notebook_against_the_files_that_it_links_to(name):
    notebook = json.loads((EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))
    text = "".join("".join(cell["source"]) for cell in cells_of(notebook, "markdown"))
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert links
    assert [link for link in links if not (EXAMPLES / link).is_file()] == []
