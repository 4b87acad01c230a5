"""Does the analysis of a listening study find what is there, and nothing where there is nothing? On simulated studies.

    python benchmarks/study_recovery.py --out docs/results/study_recovery.md

Listeners hear .6 of a step of the CCR scale for each unit of predicted shift, or nothing of it; what they share about
clips and versions, their own slopes and biases and noise are those of ``ListenerModel``.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from emomod.markdown import table
from listening_study.analysis.power import StudySize
from listening_study.analysis.recovery import coverage, false_alarms
from listening_study.analysis.simulate import ListenerModel

SIZES = ((12, 8), (20, 12), (30, 20))  # listeners, clips
LISTENERS = ListenerModel(sensitivity=0.6)
KINDS = {"usual": LISTENERS, "who differ more": replace(LISTENERS, slope_sd=0.4, stimulus_sd=0.6)}


def report(n_studies: int) -> str:
    """The page."""
    rows = []
    for listeners, clips in SIZES:
        size = StudySize(listeners, clips, trial_type="ccr")
        for name, model in KINDS.items():
            held = [
                coverage(size, model=model, rng=440, estimator=estimator, n_studies=n_studies)
                for estimator in ("calibration", "model")
            ]
            alarms = false_alarms(size, model=model, rng=440, n_studies=n_studies)
            shares = [*((each.value, each.low, each.high) for each in held), (alarms.value, alarms.low, alarms.high)]
            told = [f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in shares]
            rows.append([f"{listeners} x {clips}, {name}", *told, *(f"{each.width:.2f}" for each in held)])
    header = ["listeners x clips", "bootstrap holds", "mixed model holds", "false alarms", "width", "width, mixed"]
    about = (
        f"Made by benchmarks/study_recovery.py from {n_studies} simulated studies a row; brackets are 95 % intervals "
        "of these shares. Holds: the 95 % interval of the slope contains the planted .6, by the two-way bootstrap and "
        "by the crossed mixed model; width is the mean width of that interval. False alarms: the permutation test has "
        "p <= .05 although nothing of the prediction is heard."
    )
    return "\n\n".join(["# What the analysis of a listening study finds", about, table(header, rows)])


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.write_text(report(arguments.studies) + "\n", encoding="utf-8")
    print(arguments.out)


if __name__ == "__main__":
    main()
