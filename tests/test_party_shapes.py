"""What parties tell of their rows before they compute on shares; what they may not tell."""

from dataclasses import replace

import numpy as np
import pytest

from moiety.errors import MoietyError, PeerMisbehaved
from moiety.message import encode
from moiety.party.coded import Coded
from moiety.party.shapes import exchange_shapes
from moiety.party.training import Shape
from moiety.wire.frame import Kind
from party_kit import NAMES, columns, job, line, outcomes


def jobs(partition):
    """The job of two owners of columns, or with rows of its own at each."""
    model = replace(job().model, training="mpc", partition=partition)
    return replace(job(), model=model, scores_to="lender")


def shape(name, rows=60, **changes):
    own = columns()[name]
    count = len(own.codes)
    return replace(Shape(name, rows, (4,) * count, (False,) * count), **changes)


def exchanged(of, theirs, applicants=(), own=()):
    """What the lender makes of payco's words."""
    message = {
        "rows": theirs.rows,
        "counts": list(theirs.counts),
        "missing": list(theirs.missing),
        "applicants": list(applicants),
    }
    with line("lender", "payco") as (near, far):

        def lender():
            try:
                return exchange_shapes({"payco": near}, of, shape("lender"), list(own))
            finally:
                near.close()

        def payco():
            far.send(Kind.SHAPE, encode(message))
            try:
                return far.receive(Kind.SHAPE, 1 << 20)
            finally:
                far.close()

        return outcomes(lender, payco)[0]


def test_shapes_come_in_the_order_of_the_job():
    shapes, names = exchanged(jobs("vertical"), shape("payco"))
    assert [one.party for one in shapes] == list(NAMES) and names == []
    shapes, names = exchanged(jobs("horizontal"), shape("payco", rows=9), own=["a", "b"])
    assert [one.rows for one in shapes] == [60, 9] and names == ["a", "b"]


HOSTILE = {
    "other rows": ("vertical", shape("payco", rows=59), (), "aligned 59 rows, and I 60"),
    "no rows": ("horizontal", shape("payco", rows=0), (), "other rows and columns"),
    "too many rows": ("horizontal", shape("payco", rows=10**9), (), "other rows and columns"),
    "other columns": ("horizontal", shape("payco", counts=(4,)), (), "other rows and columns"),
    "bins without end": (
        "horizontal",
        shape("payco", counts=(256,) * len(columns()["payco"].codes)),
        (),
        "other rows and columns",
    ),
    "applicants of who gets no score": ("horizontal", shape("payco"), ("a",), "is not to"),
    "applicants where both know them": ("vertical", shape("payco"), ("a",), "is not to"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_shapes_that_do_not_fit_the_job_are_the_peers_fault(name):
    partition, theirs, applicants, words = HOSTILE[name]
    found = exchanged(jobs(partition), theirs, applicants)
    assert isinstance(found, PeerMisbehaved) and found.exit_code == 4 and words in str(found)


@pytest.mark.parametrize("applicants", [["a", "a"], [str(n) for n in range(100_000)]])
def test_nobody_is_named_twice_and_no_more_than_allowed(applicants):
    of = replace(jobs("horizontal"), scores_to="payco")
    found = exchanged(of, shape("payco"), applicants)
    assert isinstance(found, PeerMisbehaved), found
    assert isinstance(found, MoietyError) and "payco" in str(found)


def test_coded_columns_do_not_show_in_a_repr():
    own = columns()["lender"]
    shown = repr(Coded({}, own.codes, np.ones(60, np.uint8)))
    assert shown == "Coded(0 columns)"
