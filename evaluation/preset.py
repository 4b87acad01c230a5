"""How much is evaluated: "quick" in half an hour, "paper" over night on two cores."""

from dataclasses import dataclass, field

from emomod.attribution.lime import LimeSettings
from emomod.checks import check_choice, check_count
from evaluation.confounder import ConfounderSettings
from evaluation.methods import GridSettings
from evaluation.steering import SteeringSettings
from evaluation.sweep import SweepSettings


@dataclass(frozen=True)
class Preset:
    """Numbers of clips, repeats and masks."""

    n_clips: int  # rendered, for all but pairs and confounder
    n_stability: int  # of them, on which designs and meanings of off are repeated
    counts: tuple[int, ...]  # of masks, ascending
    reference: int  # masks of the explanation that errors are measured against
    n_repeats: int  # seeds
    n_carriers: int  # parts that carry a feature, for each feature
    n_large: int  # of large effect, of other clips
    n_pairs: int  # of each kind; and of the carriers as many are explained by segments too
    n_sanity: int  # clips
    sweep: SweepSettings
    confounder: ConfounderSettings
    grid: GridSettings = field(default_factory=GridSettings)
    steering: SteeringSettings = field(default_factory=SteeringSettings)
    designs: tuple[str, ...] = ("iid", "paired", "hadamard")
    offs: tuple[str, ...] = ("silence", "-12dB", "-6dB")
    lime: LimeSettings = field(default_factory=LimeSettings)  # of all other explanations
    lime_of_parts: LimeSettings = field(
        default_factory=lambda: LimeSettings(n_perturbations=128, n_held_out=32, off="silence")
    )  # where components are true stems
    rule: str = "bh:0.05"

    def __post_init__(self) -> None:
        for name in ("n_clips", "n_stability", "reference", "n_carriers", "n_large", "n_pairs", "n_sanity"):
            check_count(name, getattr(self, name))
        check_count("n_repeats", self.n_repeats, low=2)


PRESETS = {
    "quick": Preset(
        n_clips=3,
        n_stability=1,
        counts=(1024, 2048),
        reference=4096,
        n_repeats=2,
        n_carriers=4,
        n_large=4,
        n_pairs=2,
        n_sanity=1,
        sweep=SweepSettings(gains_db=(-6.0, 6.0), n_controls=39),
        steering=SteeringSettings(n_rendered=2, n_closely=1),
        offs=("silence", "-6dB"),
        confounder=ConfounderSettings(n_training=160, n_bad=12),
        grid=GridSettings(n_clips=1, n_carriers=1, n_bad=4),
    ),
    "paper": Preset(
        n_clips=20,
        n_stability=21,
        counts=(1024, 2048, 4096),
        reference=8192,
        n_repeats=2,
        n_carriers=20,
        n_large=40,
        n_pairs=8,
        n_sanity=5,
        sweep=SweepSettings(n_controls=119),
        confounder=ConfounderSettings(n_bad=60),
    ),
}


def preset_of(name: str) -> Preset:
    """The preset of a name; InputError where there is none."""
    return PRESETS[check_choice("preset", name, tuple(PRESETS))]
