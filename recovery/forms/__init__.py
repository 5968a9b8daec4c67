"""The four forms of the SOP as PDF/A: typed facts in, reproducible bytes out."""

from recovery.forms.render import render

__all__ = ["render"]
