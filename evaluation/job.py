"""All that an experiment needs, and how it goes through its clips piece by piece, so that it can go on after a stop."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from emomod.attribution.lime import explain_with_lime
from emomod.component_weights import ComponentWeights
from emomod.components.base import Components
from emomod.corpus.store import CorpusSettings
from emomod.model.predictor import ScoringModel
from evaluation.cases import Case
from evaluation.preset import Preset
from evaluation.store import Rows, Store


@dataclass(frozen=True, eq=False)
class Job:
    """All that an experiment needs."""

    predictor: ScoringModel
    cases: list[Case]  # the first n_stability and n_sanity of them for these
    corpus: CorpusSettings  # that pairs are drawn from
    preset: Preset
    store: Store
    log: Callable[[str], None]
    known: dict[str, ComponentWeights] = field(default_factory=dict)  # explanations of the preset, by clip

    def explain_case(self, case: Case) -> ComponentWeights:
        """The explanation of a clip with the preset's settings, which several experiments need."""
        if case.name not in self.known:
            self.known[case.name] = self.explain(case.components)
        return self.known[case.name]

    def explain(self, components: Components, **changes: Any) -> ComponentWeights:
        """The explanation of the preset, with other settings where ``changes`` says so."""
        return explain_with_lime(self.predictor, components, settings=replace(self.preset.lime, **changes))

    def over(self, experiment: str, cases: list[Case], make: Callable[[Case], Rows]) -> Rows:
        """Rows of all ``cases``, the clip's name and song first."""
        found: Rows = []
        for number, case in enumerate(cases):
            rows = self.store.piece(experiment, case.name, lambda case=case: make(case))  # type: ignore[misc]
            found += [{"clip": case.name, "song": case.song, **row} for row in rows]
            self.log(f"{experiment}: clip {number + 1} of {len(cases)}")
        return found

    @property
    def targets(self) -> tuple[str, ...]:
        """The model's scores."""
        return self.predictor.names
