"""The scales of a secret-shared model and of what it reveals."""

WEIGHT_BITS = 24
"""Fraction bits of weights, leaves and logits."""
SCORE_BITS = 8
"""Fraction bits of a revealed score: a unit is 1/256 of a logit, below 0.001 in probability."""
LOGIT_BOUND = 16
"""No weight, leaf, constant or logit is larger, and no model that breaks this is handed over.

A logit of 16 is ten million to one. The bound keeps a revealed score as narrow as it can be.
"""
MAKER = "the model's maker, who checked it"
"""Who promises that no logit exceeds LOGIT_BOUND."""
