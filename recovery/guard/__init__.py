"""The guard: what a timer does so that nothing that died leaves an application worse off, and silence is noticed."""

from recovery.guard.rounds import make_round

__all__ = ["make_round"]
