"""Rows become noisy, low-dimensional representations, and each person is charged for it (PPDT)."""
