"""Boosting by several workers: the trees of LightGBM itself, and no plain byte between them."""

import pytest

from cluster_kit import by_channels, by_sockets, free_port, results, rows, settings_of, shard
from moiety.enclave.boosting import trees

pytestmark = pytest.mark.jobs

ROUNDS = 8
GROWN = {"num_leaves": 15, "min_data_in_leaf": 5, "num_threads": 1}
BINARY = {**GROWN, "objective": "binary"}
QUANTISED = {**BINARY, "use_quantized_grad": True, "num_grad_quant_bins": 8}
WIDE = {**GROWN, "objective": "regression", "boost_from_average": False}
FINE = {**WIDE, "num_leaves": 8, "max_bin": 4095, "min_data_in_bin": 1}


def trained_both_ways(folder, count, parameters, columns=12, size=3000, rounds=ROUNDS):
    """The trees of each worker, by our channels and by LightGBM's sockets."""
    whole = rows(size, columns, wide=parameters["objective"] == "regression")
    shards = [shard(whole, rank, count) for rank in range(count)]
    settings = settings_of(folder, count)
    ours = results(
        [(by_channels, settings[rank], shards[rank], parameters, rounds) for rank in range(count)]
    )
    ports = [free_port() for _ in range(count)]
    theirs = results(
        [(by_sockets, rank, ports, shards[rank], parameters, rounds) for rank in range(count)]
    )
    return [trees(model) for model in ours], [trees(model) for model in theirs]


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize(
    "parameters", [BINARY, QUANTISED, WIDE], ids=["binary", "quantised", "wide"]
)
def test_trees_are_those_of_lightgbms_own_sockets(tmp_path, count, parameters):
    """Bit by bit, with a categorical column and missing values.

    Sums of wide outcomes have other last bits in another order than LightGBM's.
    """
    ours, theirs = trained_both_ways(tmp_path, count, parameters)
    assert len(set(ours)) == len(set(theirs)) == 1
    assert "cat_threshold=" in ours[0] and f"Tree={ROUNDS - 1}" in ours[0]
    assert ours[0] == theirs[0]


def test_sums_of_more_than_10_mb_go_along_the_ring(tmp_path):
    """Three workers and wide histograms: LightGBM then adds in another order."""
    ours, theirs = trained_both_ways(tmp_path, 3, FINE, columns=260, size=12_000, rounds=3)
    assert ours[0] == theirs[0]
