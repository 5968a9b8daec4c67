"""Verdicts: whether a loaded copy is what was dumped, judged by Great Expectations (`recovery.quality.judge`)."""
