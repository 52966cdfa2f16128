"""Attacks on what a party really receives in a run: each a number beside its guess line."""
