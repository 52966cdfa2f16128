"""Whole tables as bins and codes, for tests of models."""

from moiety.data.bins import Bins


def fit_bins(table, max_bins):
    specs = table.schema.columns
    return {name: Bins.fit(table[name], max_bins, specs[name]) for name in table.names}


def encode(table, bins):
    return {name: one.codes(table[name]) for name, one in bins.items()}
