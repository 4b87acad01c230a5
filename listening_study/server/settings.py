"""How a study is served."""

from dataclasses import dataclass

from emomod.checks import check_count, check_number


@dataclass(frozen=True)
class ServeSettings:
    """What participants see and may do beside the plan."""

    heading: str = ""  # of the page; by default a neutral one, since the plan's title may tell what is expected
    consent: str = ""  # what participants agree to, in paragraphs; by default the one of page/texts
    contact: str = ""  # whom the default consent names for questions
    headphone_trials: int = 6  # of each of the two tests; 0 leaves them out
    least_listened_s: float = 1.0  # of each version, before an answer is taken
    reserved_hours: float = 2.0  # without activity, after which a place in a list is given to somebody else
    resume_hours: float = 168.0  # without activity, after which one cannot go on; 0 forbids a reload
    webmushra: bool = False  # whether results that webMUSHRA pages send are kept

    def __post_init__(self) -> None:
        check_count("headphone_trials", self.headphone_trials, low=0)
        for name in ("least_listened_s", "reserved_hours", "resume_hours"):
            check_number(name, getattr(self, name), low=0.0, high=24 * 3650)
