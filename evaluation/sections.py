"""What a report of an evaluation tells of each experiment: a text and a table, from the figures of summary.json."""

from collections.abc import Callable, Mapping
from typing import Any

from emomod.labels import SCORE_NAMES, spoken
from emomod.report.sections import Section
from emomod.report.words import number
from evaluation.summary import BEATEN


def told(estimate: Mapping[str, Any] | None, digits: int = 2) -> str:
    """An estimate with its interval, or a dash where there is none."""
    if estimate is None or estimate["value"] is None:
        return "–"
    value = number(estimate["value"], digits)
    if estimate["low"] is None or estimate["high"] is None:
        return value
    return f"{value} [{number(estimate['low'], digits)}, {number(estimate['high'], digits)}]"


def _known(names: Mapping[str, Any]) -> list[str]:
    return [name for name in SCORE_NAMES if name in names] or list(names)


# ---- sections --------------------------------------------------------------------------------------------------------


def _sweep(summary: Mapping[str, Any]) -> list[Section]:
    rows = tuple(
        (
            f"{spoken(row['target'])}, {row['side']}",
            str(row["n_clips"]),
            told(row["direction_rate"]),
            told(row["monotonicity"]),
            told(row["calibration"]),
            number(row["control_p"], 3),
        )
        for row in summary["responses"]
    )
    text = (
        "Components that an explanation names were turned up and down; every version was written, read and scored. "
        f"The score moved the right way in {told(summary['direction_rate'])} of the versions beside which controls "
        "stand. Among random changes of the same size, the p-value of all of them together is "
        f"{number(summary['control_p'], 3)}; one by one, {told(summary['controls_beaten'])} have p < {BEATEN:g}. "
        "Calibration is the measured shift over the one that the surrogate predicts."
    )
    header = ("target, side", "clips", "right way", "monotonicity", "calibration", "p of all clips together")
    targets, scores = (list(dict.fromkeys(row[key] for row in summary["selectivity"])) for key in ("target", "score"))
    shifts = {(row["target"], row["score"]): row["shift"]["value"] for row in summary["selectivity"]}
    matrix = tuple((spoken(one), *(number(shifts[one, other], 2) for other in scores)) for one in targets)
    also = (
        "Mean shift of every score (columns) when the positive components of a target (rows) are turned up by 6 dB. "
        "summary.json has the intervals."
    )
    return [
        Section("Does the score follow the gain?", text, header, rows, "responses"),
        Section("What else moves", also, ("target", *map(spoken, scores)), matrix, "selectivity"),
    ]


def _truth(summary: Mapping[str, Any]) -> list[Section]:
    found = summary["truth"]
    rows = tuple(
        (
            spoken(name),
            *(told(found[question][key].get(name)) for question in found for key in ("auc", "auc_over_energy")),
        )
        for name in _known(summary["truth_auc"])
    )
    text = (
        "Where it is known what carries a feature: the area under the ROC curve of the explanation (.5 is chance), "
        "and how much that is above the area of the components' energy on the same clips. Parts: the clip has one part "
        "that carries the feature, as its labels say, and the components are the true stems (large effects: parts of "
        "other clips with an effect of .2 or more on the label, which goes from .1 to .9; over time: in stretches of "
        "2 s). Segments: the same clips, cut as an explanation cuts a sound by default. Notes: clips in which notes of "
        "a part were changed (played staccato, moved in time or in pitch), cut by default; that asks more than which "
        "component matters."
    )
    header = ("feature", *(f"{question}{of}" for question in found for of in ("", ", over energy")))
    return [Section("Does it find what is known to matter?", text, header, rows, "truth"), _hearing(summary)]


def _hearing(summary: Mapping[str, Any]) -> Section:
    found = summary["truth_by_hearing"]
    names = {"heard": "share that is heard", "auc_heard": "of parts that are heard", "auc_unheard": "of others"}
    rows = tuple(
        (spoken(feature), *(told(found[key].get(feature)) for key in names)) for feature in _known(found["heard"])
    )
    text = (
        "The parts of large effect once more. A part is heard where the model's own score goes down by .1 or more (or "
        "up, as the label does) when it is taken away. What the model does not hear, no explanation of it can show: "
        "the area of parts that are heard is what the explanation can answer for."
    )
    return Section("Does the model hear what is known to matter?", text, ("feature", *names.values()), rows)


def _confounder(summary: Mapping[str, Any]) -> list[Section]:
    names = {
        "rate": "drums first",
        "fooled": "taken for a guitar",
        "loudest": "drums loudest",
        "accuracy": "fair clips",
    }
    rows = tuple(
        (name, *(told(summary[f"confounder_{name}"][key]) for key in names)) for name in ("confounded", "clean")
    )
    text = (
        "A classifier of guitars and pianos was trained on clips in which drums play with every guitar (confounded), "
        "and one on clips in which they play with either (clean). Clips are pianos with drums. Drums first: the top "
        "component of the explanation is one of the drums. Fair clips: accuracy where drums tell nothing."
    )
    return [Section("Does it give a bad classifier away?", text, ("trained on", *names.values()), rows)]


def _fidelity(summary: Mapping[str, Any]) -> list[Section]:
    by_off = summary["neighbourhood_r2"]
    names = _known(next(iter(by_off.values())))
    rows = [(spoken(name), *(told(by_off[off][name]) for off in by_off)) for name in names]
    rows.append(("the 2019 notebook's R², at the clip alone", *(told(summary["clip_r2"][off]) for off in by_off)))
    text = (
        "R² of the surrogate on mixtures that its fit has not seen, drawn as those of the fit. The last row is another "
        "thing: over the targets at the unchanged clip, which says nothing about mixtures."
    )
    header = ("score", *(f"off: {off}" for off in by_off))
    return [Section("Does the surrogate fit?", text, header, tuple(rows), "fidelity")]


def _stability(summary: Mapping[str, Any]) -> list[Section]:
    names = ("stability_jaccard", "stability_jaccard_selected", "stability_relative_error")
    rows = tuple(
        (f"{off}, {design}", count, *(told(summary[name][off][design][count]) for name in names))
        for off, designs in summary["stability_jaccard"].items()
        for design, counts in designs.items()
        for count in counts
    )
    enough = "; ".join(
        f"{row['off']}, {row['design']}: {row['n_masks']}" for row in summary["smallest_counts"] if row["n_masks"]
    )
    text = (
        "The same clips explained again with other masks. Fewest masks at which the Jaccard index of the 30 largest "
        f"weights is .9 in the mean: {enough or 'none that was tried'}. Error: of the weights, relative to a run with "
        "many more masks."
    )
    header = ("off, design", "masks", "Jaccard of the top 30", "Jaccard of the selected", "error")
    return [Section("Is it stable?", text, header, rows, "stability")]


def _inputs(summary: Mapping[str, Any]) -> list[Section]:
    errors = summary["inputs_relative_error"]
    rows = tuple((name, told(found), told(errors[name])) for name, found in summary["inputs_jaccard"].items())
    text = "The explanation of the clip and that of the same clip after a small change of its sound."
    header = ("change", "Jaccard of the top 30", "relative change of the weights")
    return [Section("Does it survive small changes of the sound?", text, header, rows)]


def _faithfulness(summary: Mapping[str, Any]) -> list[Section]:
    by_metric = summary["faithfulness"]
    names = _known(next(iter(by_metric.values())))
    rows = tuple((spoken(name), *(told(found[name], 3) for found in by_metric.values())) for name in names)
    text = (
        "Deletion and insertion: how much sooner the score falls (rises) when the most positive components are turned "
        "off (on) first than in random orders; above 0 if the weights rank well. Lost shift: what the score loses with "
        "a side; above 0 is right for the positive, below 0 for the negative one. Infidelity share: the error of the "
        "predicted changes over that of predicting none; 0 is best. Sensitivity: the largest relative change of the "
        "weights under noise at 60 dB SNR; 0 is best."
    )
    header = ("score", *(name.replace("_", " ") for name in by_metric))
    return [Section("Is it faithful to the model?", text, header, rows)]


def _sanity(summary: Mapping[str, Any]) -> list[Section]:
    found = summary["sanity_spearman"]
    rows = tuple((name, told(found[name]), told(summary["sanity_survives"][name])) for name in found)
    text = (
        "Rank correlation with the explanation of a model whose weights were drawn anew, or trained on labels dealt "
        "out at random, and of the model itself with other masks. An explanation that survives (correlation in size "
        "above half of that) does not depend on what was learned."
    )
    return [Section("Does it depend on the model?", text, ("model", "Spearman", "share that survives"), rows)]


def _methods(summary: Mapping[str, Any]) -> list[Section]:
    found = summary["methods"]
    rows = tuple(
        (
            kind,
            method,
            number(each["n_components"]["value"], 0),
            number(each["seconds"]["value"], 1),
            told(each["seconds_over_lime"]),
            told(each["neighbourhood_r2"]),
            told(each["r2_less_offset"]),
            told(each["up_right"]),
            told(each["down_right"]),
            told(each["shift"], 3),
        )
        for kind, by_method in found.items()
        for method, each in by_method.items()
    )
    text = (
        "Every method on every kind of components, with the same meaning of off. R²: of intercept and weights on "
        "mixtures that no fit has seen; less offset: with the best intercept. Up, down: how often the score rises "
        "(falls) when the selected components that speak for it are turned up (down) by 6 dB, re-scored from audio; "
        "the fifth of the components with the largest weights is selected. Shift: half of what lies between the two."
    )
    header = ("components", "method", "K", "seconds", "over lime's", "R²", "R² less offset", "up", "down", "shift")
    agreeing = tuple(
        (f"{kind}, {method}", *(told(each.get(f"spearman_{other}")) for other in by_method))
        for kind, by_method in found.items()
        for method, each in by_method.items()
    )
    names = tuple(dict.fromkeys(method for by_method in found.values() for method in by_method))
    also = (
        "Rank correlation of the weights of two methods on the same components of the same clip, over clips and scores."
    )
    return [
        Section("What each method costs and gives", text, header, rows),
        Section("Do the methods agree?", also, ("components, method", *names), agreeing, "methods"),
    ]


def _kinds(summary: Mapping[str, Any]) -> list[Section]:
    columns = ("roc_auc", "energy_roc_auc", "drum_share", "found", "loudest_found", "any_found")
    rows = tuple(
        (kind, method, *(told(each[column]) for column in columns))
        for kind, by_method in summary["kinds"].items()
        for method, each in by_method.items()
    )
    text = (
        "Clips of which one part is known to carry a feature: area under the ROC curve of the cells of that part, and "
        "what the energy of the components gives (.5 is chance). And the classifier of guitars and pianos that was "
        "trained on confounded clips: the share of the drums in the energy of the component that speaks most for its "
        "mistake (off is silence there), how often that is more than half, how often the loudest component's is, and "
        "what share of all components' is. True stems are known in these clips; nobody has them of a record."
    )
    header = (
        "components",
        "method",
        "ROC area",
        "of energy",
        "share of drums",
        "drums",
        "drums loudest",
        "drums at all",
    )
    return [Section("Which finds what is known to matter?", text, header, rows, "kinds")]


def _steering(summary: Mapping[str, Any]) -> list[Section]:
    found = summary["steering"]
    places = sorted({place for each in found.values() for place in each["transfer"]})
    rows = tuple(
        (
            kind,
            f"{each['n_requests']}" + ("" if each["n_feasible"] is None else f", {each['n_feasible']}"),
            told(each["met_rate"]),
            told(each["moves_most"]),
            told(each["size_db"]),
            told(each["spectral_distance_db"]),
            told(each["random_share"]),
            told(each["equaliser_share"]),
            *(
                f"{told(each['transfer'][place]['right'])}; {told(each['transfer'][place]['size'])}"
                if place in each["transfer"]
                else "–"
                for place in places
            ),
        )
        for kind, each in found.items()
    )
    text = (
        "A score was asked to move by .1, up or down, and the written version was scored. Met: within .02 of what was "
        "asked, held scores within .03, of the requests that are feasible at all. Moves most: no other score moved "
        "farther, in its own standard deviations over the clips. Plain: the components that an explanation names, "
        "turned by 6 dB. Random and equaliser: the share of the asked shift that random changes as large, and a "
        "parametric equaliser that was asked the same, reach. Another model: the share of versions that it hears move "
        "the right way; and how much of the shift. Robust: the search listens to other models too (all but the last) "
        "and to the sound cut elsewhere. A few requests of each clip, others for the next, are asked robustly, too, "
        "and have a random and an equaliser's share."
    )
    header = ("request", "n, feasible", "met", "moves most", "gain (dB)", "distance (dB)", "random", "equaliser")
    others = tuple(f"model {int(place) + 1}: right; size" for place in places)
    return [Section("Is a steered clip heard as asked?", text, (*header, *others), rows)]


SECTIONS: dict[str, tuple[str, Callable[[Mapping[str, Any]], list[Section]]]] = {
    "sweep": ("responses", _sweep),
    "steering": ("steering", _steering),
    "truth": ("truth_auc", _truth),
    "confounder": ("confounder_rate", _confounder),
    "fidelity": ("neighbourhood_r2", _fidelity),
    "stability": ("stability_jaccard", _stability),
    "inputs": ("inputs_jaccard", _inputs),
    "faithfulness": ("faithfulness", _faithfulness),
    "sanity": ("sanity_spearman", _sanity),
    "methods": ("methods", _methods),
    "kinds": ("kinds", _kinds),
}  # by the figure of the summary that they need, in the order of the report


def sections_of(summary: Mapping[str, Any]) -> list[Section]:
    """Every section that the summary has figures for."""
    return [section for key, make in SECTIONS.values() if key in summary for section in make(summary)]
