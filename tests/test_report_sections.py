"""Pages of titled tables."""

from emomod.report.sections import About, Section, markdown, render_sections

ROWS = (("energy enhanced", "energy", "0.21 [-0.06, 0.48]", "−0.5", "yes"), ("sham", "energy", "–", "<.001", "no"))
SECTION = Section("Found", "What was found.", ("version", "asked about", "mean", "p", "left out"), ROWS)
ABOUT = About("A title", "A lead.", "Made so.", "emomod x", {"Settings": {"seed": 0}}, ("a.csv",))


def test_columns_of_figures_are_told_from_words():
    assert SECTION.is_number == (False, False, True, True, False)
    assert Section("Empty", "", ("a", "b"), ()).is_number == (False, False)


def test_a_page_aligns_figures_alone():
    page = render_sections(ABOUT, [SECTION], pictures={})
    assert '<th scope="col">asked about</th><th scope="col" class="number">mean</th>' in page
    assert '<th scope="row">sham</th><td>energy</td><td class="number">–</td>' in page


def test_markdown_has_the_same_cells():
    told = markdown(ABOUT, [SECTION])
    assert all(cell in told for row in ROWS for cell in row)
    assert "| --- | --- | ---: | ---: | --- |" in told
