"""What was found about the parts of a machine.

States: "ok"; "info", worth knowing, but nothing must be done; "missing", an optional part that is not there; "problem",
a part that emomod does not work without.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "info", "missing", "problem"]


@dataclass(frozen=True)
class Finding:
    """What was found about one part."""

    name: str
    state: State
    detail: str
    cure: str | None = None  # a command, or what to do


@dataclass(frozen=True)
class Diagnosis:
    """All findings, in the order in which to read and cure them."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether emomod works here; optional parts may be missing."""
        return all(finding.state != "problem" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """The diagnosis in the form of JSON."""
        return {"healthy": self.healthy, "findings": [asdict(finding) for finding in self.findings]}

    def as_text(self) -> str:
        """The diagnosis for people: a line a finding, with the cure on a line of its own below it."""
        width = max((len(finding.name) for finding in self.findings), default=0)
        lines = []
        for finding in self.findings:
            lines.append(f"{finding.state:<8} {finding.name:<{width}}  {finding.detail}")
            if finding.cure:
                lines.append(f"{'':<8} {'':<{width}}  cure: {finding.cure}")
        return "\n".join(lines)
