"""What a training run is told: the variant of the network, how long, how fast, and on what.

Training goes in rounds. A round shows ``round_clips`` clips, drawn without replacement until all training clips were
shown, however many these are; after it comes a look at validation, and the state goes to disk. So the length of a
run does not depend on the size of the corpus: it is ``rounds * round_clips`` clips.
"""

from dataclasses import dataclass

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_choice, check_count, check_number
from emomod.datasets.splits import PROTOCOLS
from emomod.model.network import ARCHITECTURES
from emomod.spectrogram import n_frames_of

EMOTION_LAYERS = ("published", "trained")


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained."""

    variant: str = "a2mid2e"  # of the network: a2e, a2mid2e or a2mid2e-joint
    emotion_layer: str = "published"  # or "trained" on the corpus's emotions; a2e has none
    split: str = "groups"  # how clips are split: groups, single-artist, folds (the first) or repeated (the first)
    width: float = 0.5
    rounds: int = 24
    round_clips: int = 4000  # shown in a round
    window_seconds: float = 10.0  # what the network is shown of a clip
    seed: int = 0  # of the split, the first weights, the order of clips and the augmentation
    batch_size: int = 16
    learning_rate: float = 2e-3  # the highest of a one-cycle schedule
    weight_decay: float = 1e-2
    dropout: float = 0.1
    patience: int = 8  # rounds without a better validation r before it stops
    autocast: bool = True  # bfloat16
    couple_weight: float = 0.5  # of the loss of what sets the clips of a counterfactual pair apart

    def __post_init__(self) -> None:
        check_choice("variant", self.variant, ARCHITECTURES)
        check_choice("emotion_layer", self.emotion_layer, EMOTION_LAYERS)
        check_choice("split", self.split, tuple(PROTOCOLS))
        check_number("width", self.width, low=0.01, high=4.0)
        check_count("rounds", self.rounds)
        check_count("batch_size", self.batch_size, low=2)
        check_count("round_clips", self.round_clips, low=self.batch_size)
        check_number("window_seconds", self.window_seconds, low=1.0, high=60.0)
        check_count("seed", self.seed, low=0)
        check_number("learning_rate", self.learning_rate, low=1e-7, high=1.0)
        check_number("weight_decay", self.weight_decay, low=0.0, high=10.0)
        check_number("dropout", self.dropout, low=0.0, high=0.9)
        check_count("patience", self.patience)
        check_number("couple_weight", self.couple_weight, low=0.0, high=100.0)

    @property
    def n_frames(self) -> int:
        """Frames of the window."""
        return n_frames_of(round(self.window_seconds * SAMPLE_RATE))

    @property
    def steps_a_round(self) -> int:
        """Optimiser steps of a round."""
        return self.round_clips // self.batch_size
