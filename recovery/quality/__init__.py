"""Verdicts: whether a loaded copy is what was dumped, judged by Great Expectations. Imported only when it judges."""

from recovery.quality.verdict import Verdict

__all__ = ["Verdict"]
