"""Bin codes of several owners, as one-hot columns that are private to each."""

import numpy as np

from moiety.function.runner import Runner
from moiety.learn.columns import Columns
from moiety.learn.partition import Partition
from moiety.learn.program import Brought, bring


def parts(columns: Columns, whole: Partition) -> list[Columns]:
    """The columns of each owner's part."""
    if whole.axis == 0:
        return [columns] * len(whole.parts)
    widths = [part.shape[1] for part in whole.parts]
    firsts = np.cumsum([0, *widths[:-1]])
    return [columns.part(first, width) for first, width in zip(firsts, widths, strict=True)]


def bring_bins(runner: Runner, whole: Partition, columns: Columns) -> Brought:
    """A table of bin codes as one-hot columns, which are private to their owners."""
    hot = {
        part.owner: part.made((part.shape[0], own.bins), own.one_hot)
        for part, own in zip(whole.parts, parts(columns, whole), strict=True)
    }
    return bring(runner, type(whole)(**hot), "x", (0, 1), int)
