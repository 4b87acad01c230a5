"""Simulated listeners and the power of a study."""

import numpy as np
import pytest
from scipy import stats

from emomod.errors import InputError
from listening_study.analysis.permutation import no_agreement_test
from listening_study.analysis.power import StudySize, plan_trials, power, simulate_study, study_seeds
from listening_study.analysis.simulate import ListenerModel, simulate_answers

CANONICAL = [
    "study", "participant", "session", "list", "trial_index", "trial_id", "phase", "trial_type", "item", "attribute",
    "condition", "other", "position", "stimulus", "other_stimulus", "response", "confidence", "rt_ms", "listened_ms",
    "n_plays", "n_switches", "device", "headphone_pass", "source_format", "software_version", "stimulus_sha256",
]  # fmt: skip
EXACT = {"slope_sd": 0.0, "bias_sd": 0.0, "item_sd": 0.0, "stimulus_sd": 0.0}
SILENT = ListenerModel(sensitivity=1.0, noise_sd=0.0, **EXACT)
PLAN = StudySize(n_listeners=20, n_items=12)


def test_simulated_table_has_all_columns_and_every_answer():
    table = simulate_study(StudySize(3, 4, n_repeats=2), model=ListenerModel(), rng=1)
    assert set(table) == {*CANONICAL, "predicted"}
    assert len(table) == 3 * 4 * 2 * 2
    assert table.groupby("participant")["trial_index"].apply(lambda t: t.tolist() == list(range(16))).all()
    assert (table.groupby(["participant", "item", "condition"]).size() == 2).all()
    assert set(table["position"]) == {1, 2}


def test_simulation_against_itself_of_one_seed():
    one, two, other = (simulate_study(PLAN, model=ListenerModel(), rng=seed) for seed in (1, 1, 2))
    assert one.equals(two)
    assert not one.equals(other)
    assert study_seeds(3, rng=1) == study_seeds(5, rng=1)[:3]


@pytest.mark.parametrize(("kind", "answers"), [("pair", [-1, 0, 1, 1]), ("ccr", [-1, 0, 1, 3])])
def test_answers_against_theory_without_noise(kind, answers):
    plan = StudySize(2, 2, shifts=(-1.2, 0.2, 0.7, 4.4), shift_sd=0.0)
    trials = plan_trials(plan, rng=1).assign(trial_type=kind)
    listeners = ListenerModel(sensitivity=1.0, noise_sd=0.0, tie_width=0.5, **EXACT)
    table = simulate_answers(trials, model=listeners, n_listeners=2, rng=1)
    assert table.groupby("condition")["response"].unique().map(list).tolist() == [[each] for each in answers]


def test_simulated_pairs_against_theory_of_ties_and_position(rng):
    trials = plan_trials(StudySize(2, 50, shift_sd=0.0), rng=1).assign(predicted=0.0)
    listeners = ListenerModel(sensitivity=1.0, tie_width=0.5, position_bias=0.6, **EXACT)
    table = simulate_answers(trials, model=listeners, n_listeners=100, rng=rng)
    second = table[table["position"] == 2]["response"]
    assert (second == 1).mean() == pytest.approx(stats.norm.sf(0.5 - 0.3), abs=0.03)
    assert (second == 0).mean() == pytest.approx(stats.norm.cdf(0.2) - stats.norm.cdf(-0.8), abs=0.03)
    assert table["response"].mean() == pytest.approx(0.0, abs=0.03)


def test_power_against_theory():
    """Listeners who hear all are always found; power grows with listeners; an effect in reverse is never found."""
    loud = ListenerModel(sensitivity=2.0)
    assert power(PLAN, model=loud, rng=1, n_studies=20).value == 1.0
    faint = ListenerModel(sensitivity=0.15)
    few, many = (power(StudySize(n, 16), model=faint, rng=1, n_studies=150) for n in (5, 40))
    assert few.high < many.low
    assert power(PLAN, model=ListenerModel(sensitivity=-0.5), rng=1, n_studies=50).value == 0.0
    assert few.low < few.value < few.high


def test_power_against_a_count_of_its_studies():
    model = ListenerModel(sensitivity=0.2)
    found = []
    for seed in study_seeds(12, rng=5):
        generator = np.random.default_rng(seed)
        table = simulate_study(PLAN, model=model, rng=generator)
        found.append(no_agreement_test(table, rng=generator, n_permutations=499).p_value <= 0.05)
    told = power(PLAN, model=model, rng=5, n_studies=12)
    assert told.value == np.mean(found)
    assert (told.n_studies, told.plan, told.model) == (12, PLAN, model)


def test_simulate_iv():
    with pytest.raises(InputError, match=r"noise_sd must be a finite number in 0..inf, got -1"):
        ListenerModel(noise_sd=-1)
    with pytest.raises(InputError, match="trial_type must be one of pair, ccr, got abx"):
        simulate_answers(plan_trials(PLAN, rng=1).assign(trial_type="abx"), model=SILENT, n_listeners=2, rng=1)
    with pytest.raises(InputError, match="missing: predicted"):
        simulate_answers(plan_trials(PLAN, rng=1).drop(columns="predicted"), model=SILENT, n_listeners=2, rng=1)
    with pytest.raises(InputError, match="n_listeners must be a whole number of at least 2, got 1"):
        StudySize(1, 12)
    with pytest.raises(InputError, match="shifts must have one that is not 0"):
        StudySize(2, 12, shifts=(0.0,))
    with pytest.raises(InputError, match="trial_type must be one of pair, ccr, got 'scale'"):
        StudySize(2, 12, trial_type="scale")
    with pytest.raises(InputError, match=r"alpha must be a finite number in 0..1, got 5"):
        power(PLAN, model=SILENT, rng=1, alpha=5)
