"""The helper package: what the chapters built, and what a reader may skip."""
