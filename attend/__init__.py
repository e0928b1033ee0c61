"""The helper package: what the chapters built, and what a reader may skip."""

__version__ = "0.2.0"  # of the whole edition: everything else takes it from here
__date__ = "2026-11-29"
