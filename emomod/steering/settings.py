"""How a clip is steered; what is asked of it is emomod.steering.request."""

from dataclasses import dataclass, field

from emomod.attribution.lime import LimeSettings
from emomod.audio import SUBTYPES
from emomod.checks import check_choice, check_count, check_rng
from emomod.components.kinds import DEFAULT, Cutting
from emomod.components.off import off_gain
from emomod.errors import InputError


@dataclass(frozen=True)
class SteerSettings:
    """How a clip is steered; what is asked is a Request."""

    start: float = 0.0  # s, where the window begins in the file
    components: Cutting = DEFAULT  # how the sound is cut, see emomod.components.kinds
    lime: LimeSettings = field(default_factory=LimeSettings)  # of the surrogate; off must be a cut in dB
    robust: bool = False  # search with companions and with the sound cut elsewhere, too
    n_random: int = 20  # random changes that the steered one is compared with
    write_steps: bool = False  # whether a quarter, a half ... of the request are written as files, too
    n_steps: int = 4
    bits: int = 24  # 16 or 24, of the written files
    seed: int = 0  # of the random changes

    def __post_init__(self) -> None:
        check_choice("bits", str(self.bits), [str(bits) for bits in SUBTYPES])
        check_count("n_random", self.n_random)
        check_count("n_steps", self.n_steps)
        check_rng(self.seed)
        if not 0.0 < off_gain(self.lime.off) < 1.0:
            raise InputError(f"lime: off must be a cut in dB to steer by, got {self.lime.off!r}")
