"""Whole analyses: simulated listeners of a small study, its report and its command."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_studies import simulated_answers, small_study

from emomod.cli.main import main
from emomod.errors import InputError
from listening_study.analysis.figures import figures_of
from listening_study.analysis.findings import analyse
from listening_study.analysis.report import sections_of, write_analysis
from listening_study.table import write_table

VERSIONS = ("enhanced", "weakened", "sham")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return small_study(tmp_path_factory.mktemp("study"), versions=VERSIONS)


def test_listeners_who_hear_it_against_theory(study):
    found = analyse(study, simulated_answers(study, n_listeners=16, sensitivity=40.0))
    assert set(found.attributes) == {"articulation", "energy"}
    for attribute, each in found.attributes.items():
        assert (each.agreement.n_listeners, each.agreement.n_items) == (16, 4)
        assert each.agreement.n_stimuli == 8  # without the sham versions
        assert each.agreement.sign.low > 0.6, attribute
        assert each.agreement.test is not None
        assert each.agreement.test.p_value < 0.1  # of 16 exchanges of two versions of four items, one is as good
        assert each.split_half is not None
        assert each.split_half.ceiling > 0.8
        assert None not in (each.leave_one_out, each.model_as_listener, each.alpha, each.icc, each.agreement.model)
    told = {each.condition: each for each in found.versions}
    assert len(told) == 6
    assert told["energy enhanced 6 dB"].human.low > 0 > told["energy weakened 6 dB"].human.high
    assert told["energy enhanced 6 dB"].model > 0 > told["energy weakened 6 dB"].model
    preference = found.attributes["energy"].preference
    assert preference is not None
    worths = dict(zip(preference.conditions, preference.worths, strict=True))
    assert worths["energy enhanced 6 dB"].low > 0
    assert found.screened.n_excluded == 0
    assert found.selectivity is None


def test_listeners_who_hear_nothing(study):
    found = analyse(study, simulated_answers(study, n_listeners=12, sensitivity=0.0, seed=1))
    for each in found.attributes.values():
        assert each.agreement.sign.low < 0.5 < each.agreement.sign.high
        assert each.agreement.test is not None
        assert each.agreement.test.p_value > 0.05


@pytest.mark.parametrize("trial_type", ["ccr", "scale", "sliders", "abx"])
def test_other_types_of_trials(tmp_path, trial_type):
    made = small_study(tmp_path, trial_type=trial_type, asked="all" if trial_type == "ccr" else "own")
    found = analyse(made, simulated_answers(made, n_listeners=8, sensitivity=20.0))
    sections = sections_of(found, trial_type)
    assert all(len(row) == len(each.header) for each in sections for row in each.rows)
    if trial_type == "abx":
        assert len(found.detected) == 6
        assert all(0.5 < each.right.share.value < 0.95 for each in found.detected)  # half heard, half guessed
        return
    assert all(each.agreement.sign.value > 0.6 for each in found.attributes.values())
    assert (found.selectivity is not None) == (trial_type == "ccr")
    if found.selectivity is not None:
        assert found.selectivity.manipulated == found.selectivity.asked == ("articulation", "energy")
        assert min(found.selectivity.human.diagonal()) > 0


def test_the_report_and_the_command(study, tmp_path, capsys):
    answers = simulated_answers(study, n_listeners=6, sensitivity=20.0)
    table = write_table(tmp_path / "answers.csv", answers)
    words = ["study", "analyse", str(study.folder), str(table), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert told.startswith("6 took part, 0 were left out by the rules\narticulation: ")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Do listeners hear what the model predicts?" in page
    assert "http" not in page.replace("http-equiv", "")
    assert (tmp_path / "out" / "figures" / "versions.png").is_file()
    figures = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert [row["attribute"] for row in figures["agreement"]] == ["articulation", "energy"]
    assert {row["condition"] for row in figures["preferences"]} >= {"energy sham 6 dB", "what comes second"}
    assert main([*words, "--catch", "0.5", "--seed", "0"]) == 0  # once more, in place of the first
    again = (tmp_path / "out" / "report.html").read_text()
    assert "--catch 0.5 --seed 0" in again  # the command that gives this report
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == figures
    assert "energy enhanced 6 dB" in (tmp_path / "out" / "versions.csv").read_text()


def test_how_sure_listeners_were_and_how_they_answered_again(study, tmp_path):
    told = [each for each in simulated_answers(study, n_listeners=4, sensitivity=1e6) if each.response is not None]
    sure = tuple(replace(each, confidence=5.0 if each.condition.startswith("energy") else 2.0) for each in told)
    found = analyse(study, sure)
    wanted = {"articulation": 2.0, "energy": 5.0}
    assert all(each.confidence == wanted[each.attribute] for each in found.versions)
    write_analysis(tmp_path / "out", study, found, seed=0, command="x")
    page = (tmp_path / "out" / "report.md").read_text()
    assert "(within 1 step of a scale) in 100 % of cases, mean over all 4 who had any" in page
    assert (tmp_path / "out" / "listeners.csv").read_text().splitlines()[1] == "p00,1,1,1,1,False"


def test_names_of_participants_are_no_formulas(study, tmp_path):
    answers = simulated_answers(study, n_listeners=3, sensitivity=20.0)
    named = tuple(replace(each, participant=f"={each.participant}") for each in answers)
    write_analysis(tmp_path / "out", study, analyse(study, named), seed=0, command="x")
    assert (tmp_path / "out" / "listeners.csv").read_text().splitlines()[1].startswith("'=p00,")


def test_a_careless_listener_is_left_out_and_told(study, tmp_path):
    answers = simulated_answers(study, n_listeners=4, sensitivity=20.0)
    wrong = [each.participant == "p03" and each.other == "softer" for each in answers]
    careless = tuple(
        replace(each, response=-1.0) if is_wrong else each for each, is_wrong in zip(answers, wrong, strict=True)
    )
    found = analyse(study, careless)
    (row,) = [each for each in figures_of(found)["ledger"] if each["excluded"]]
    assert (row["participant"], row["rule"], row["figure"]) == ("p03", "least_catch_share", 0.0)
    assert {each.agreement.n_listeners for each in found.attributes.values()} == {3}
    write_analysis(tmp_path / "out", study, found, seed=0, command="x")
    assert "p03,least_catch_share" in (tmp_path / "out" / "ledger.csv").read_text()


def test_one_version_and_one_listener_are_analysed_as_far_as_they_go(tmp_path):
    made = small_study(tmp_path, versions=("enhanced",), targets=("energy",))
    found = analyse(made, simulated_answers(made, n_listeners=8, sensitivity=40.0))
    told = found.attributes["energy"].agreement
    assert told.test is not None
    assert (told.test.scheme, told.n_stimuli) == ("flip", 4)
    alone = analyse(made, simulated_answers(made, n_listeners=1, sensitivity=40.0))
    told = alone.attributes["energy"].agreement
    assert told.model is None
    assert told.sign.value >= 0.5
    assert np.isnan([told.sign.low, told.slope.high, told.correlation.low, alone.versions[0].human.low]).all()
    assert str(told.sign).endswith("[–, –]")
    assert "participant must have at least two members" in alone.unknown["mixed model of energy"]
    assert "at least 3 listeners" in alone.unknown["noise ceiling of energy"]


def test_ratings_have_no_catch_trials_to_fail(tmp_path):
    made = small_study(tmp_path, trial_type="scale")
    found = analyse(made, simulated_answers(made, n_listeners=4, sensitivity=20.0))
    assert found.screened.ledger.empty
    assert found.rules.least_catch_share is None


def test_analyses_iv(study, tmp_path, capsys):
    with pytest.raises(InputError, match="answers must be at least one, got none"):
        analyse(study, ())
    other = small_study(tmp_path, seed=9)
    table = write_table(tmp_path / "answers.csv", simulated_answers(other, n_listeners=1, sensitivity=1.0))
    assert main(["study", "analyse", str(study.folder), str(table), "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert "answers.csv, row 2: study must be study_" in told
    assert not (tmp_path / "out").exists()


def test_power_against_theory(capsys):
    size = ["study", "power", "--listeners", "8", "--clips", "6", "--studies", "40"]
    assert main([*size, "--sensitivity", "0"]) == 0
    assert main([*size, "--sensitivity", "3"]) == 0
    nothing, much = (float(line.split(": ")[1][:4]) for line in capsys.readouterr().out.splitlines())
    assert nothing < 0.2
    assert much == 1.0
