"""Pairs of sentences, wherever they come from: generated, real, or made by a task."""
