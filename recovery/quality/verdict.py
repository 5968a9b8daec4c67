"""The outcome of judging one copy: pass, fail (the backup is bad) or error (the checker could not look)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from recovery.errors import SetError

State = Literal["pass", "fail", "error"]
Severity = Literal["critical", "warning", "info"]

STATES: tuple[State, ...] = ("pass", "fail", "error")
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
FORMAT = 1


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    `name` is "structure", "columns", "row_count", "fingerprint", "orphans", … or the type of an owner's expectation;
    `object` the table or directory; `observed` a number or a digest, never a value out of the data; `message` is
    Indonesian and says what was found.
    """

    name: str
    object: str
    state: State
    severity: Severity = "critical"
    observed: str = ""
    message: str = ""

    @property
    def counts_as(self) -> Literal["pass", "fail", "error", "warning"]:
        """How the check counts: a failure that is not critical is a warning."""
        return "warning" if self.state == "fail" and self.severity != "critical" else self.state


@dataclass(frozen=True)
class Verdict:
    """What was found, with every check. Holds no personal data: names, numbers and digests only."""

    state: State
    checks: tuple[Check, ...]
    engines: dict[str, str]
    judged_at: str

    @classmethod
    def of(cls, checks: Iterable[Check], engines: dict[str, str], judged_at: str) -> "Verdict":
        """Given the checks, return the verdict: fail before error before pass, worst checks first.

        The three are never merged: a bad backup and a blind checker alarm differently. No checks at all is an error.
        """
        ordered = tuple(sorted(checks, key=lambda check: RANK[check.counts_as]))
        found = {check.counts_as for check in ordered}
        state: State = "fail" if "fail" in found else "error" if "error" in found or not found else "pass"
        return cls(state, ordered, engines, judged_at)

    def worst(self) -> str:
        """The first three checks that made the verdict what it is, each as "object: name"."""
        made_it = [check for check in self.checks if check.state == self.state][:3]
        return "; ".join(f"{check.object}: {check.name}" for check in made_it)

    @property
    def counts(self) -> dict[str, int]:
        """The number of objects and checks, and of checks that passed, failed, erred or warn."""
        counts = {
            "objects": len({check.object for check in self.checks}),
            "checks": len(self.checks),
            "pass": 0,
            "fail": 0,
            "error": 0,
            "warning": 0,
        }
        for check in self.checks:
            counts[check.counts_as] += 1
        return counts

    def by_object(self) -> dict[str, list[Check]]:
        """The checks of each object; objects with the worst checks first, then by name."""
        grouped: dict[str, list[Check]] = defaultdict(list)
        for check in self.checks:
            grouped[check.object].append(check)
        worst = {name: min(RANK[check.counts_as] for check in checks) for name, checks in grouped.items()}
        return {name: grouped[name] for name in sorted(grouped, key=lambda name: (worst[name], name))}

    def to_json(self) -> dict[str, Any]:
        """Return plain data: the content of quality.json."""
        return {
            "format": FORMAT,
            "state": self.state,
            "judged_at": self.judged_at,
            "engines": self.engines,
            "counts": self.counts,
            "checks": [asdict(check) for check in self.checks],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Verdict":
        """Given what `to_json` returned, return the verdict. Raises SetError when it is anything else."""
        try:
            verdict = cls(
                data["state"],
                tuple(Check(**check) for check in data["checks"]),
                dict(data["engines"]),
                data["judged_at"],
            )
            readable = (
                data["format"] == FORMAT
                and verdict.state == cls.of(verdict.checks, {}, "").state
                and all(check.state in STATES and check.severity in SEVERITIES for check in verdict.checks)
                and data["counts"] == verdict.counts
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable() from error
        if not readable:
            raise _unreadable()
        return verdict

    def markdown(self, title: str = "Hasil pemeriksaan backup") -> str:
        """Return the verdict as a page in Indonesian for the artifact that officials read."""
        from recovery.quality.page import page

        return page(self, title)


RANK = {"fail": 0, "error": 1, "warning": 2, "pass": 3}


def _unreadable() -> SetError:
    return SetError(
        "the verdict is not one that this release wrote",
        state="nothing was judged anew",
        hint="read quality.json by eye, and restore with the release that the manifest names",
    )
