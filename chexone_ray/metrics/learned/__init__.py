"""Metrics that need a model: optional, each in a file of its own, none imported by another.

What an adapter needs and does not find is one ChexoneError with the remedy; it never falls back to
another scale. Its `signature` names model, layer and versions. Scores are of pairs (predicted,
reference), one a pair, so that `mean_value` and the bootstrap work on them like on any row.
"""
