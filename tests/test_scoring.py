"""Scorecards and trees on shares: the same scores as real arithmetic and as walking the trees."""

import numpy as np
import pytest

from moiety.errors import UsageError
from moiety.learn import scorecard_program, trees_program
from moiety.learn.scale import SCORE_BITS, WEIGHT_BITS
from moiety.learn.trees_program import CODES, Forest
from moiety.ring import decode, encode
from moiety.run import twin


@pytest.mark.parametrize("dims", [(3, 5), (0, 4), (4, 0)])
@pytest.mark.parametrize("receiver", [0, 1])
def test_the_scorecard_scores_as_real_arithmetic_does(dims, receiver):
    generator = np.random.default_rng()
    program = scorecard_program.build(40, dims, receiver=receiver, bound=2.5)
    weights = generator.uniform(-2.5, 2.5, sum(dims))
    features = generator.integers(0, 2, (40, sum(dims)))
    inputs = {"intercept": encode([[-1.25]], 24)}
    ends = np.cumsum((0, *dims))
    for party in (0, 1):
        if dims[party]:
            own = slice(ends[party], ends[party + 1])
            inputs[f"weights_{party}"] = encode(weights[own, None], 24)
            inputs[f"features_{party}"] = features[:, own].astype(np.uint64)
    transcript = twin.run(program, twin.split(program, inputs))
    score = transcript.results[receiver]["score"]
    assert np.array_equal(score, program.clear(inputs)["score"])
    assert transcript.results[1 - receiver] == {}
    logit = features @ weights - 1.25
    assert np.abs(decode(score, SCORE_BITS)[:, 0] - logit).max() <= 2**-SCORE_BITS + 1e-5
    assert len(transcript.rounds) == len(program.cost.rounds) <= 6


def forest_inputs(rows, dims, forest, generator):
    """Random trees with missing values, and their scores computed by walking each tree."""
    nodes, columns = forest.trees * forest.nodes, sum(dims)
    column = generator.integers(0, columns, nodes)
    missing_right = generator.integers(0, 2, nodes)
    thresholds = generator.integers(1, CODES + 1, nodes)
    leaves = encode(generator.uniform(-2, 2, forest.trees * forest.leaves), 24)
    codes, missing = (
        generator.integers(0, CODES, (rows, columns)),
        generator.random((rows, columns)) < 0.3,
    )
    codes[missing] = 0
    chosen = np.eye(columns, dtype=np.uint64)[:, column]
    inputs = {
        "thresholds": thresholds[None].astype(np.uint64),
        "leaves": leaves[:, None],
        "base": encode([[0.5]], 24),
    }
    for party, (first, last) in enumerate(((0, dims[0]), (dims[0], columns))):
        own = slice(first, last)
        inputs[f"features_{party}"] = np.hstack([codes[:, own], missing[:, own]]).astype(np.uint64)
        away = chosen[own] * (missing_right * CODES).astype(np.uint64)
        inputs[f"selection_{party}"] = np.vstack([chosen[own], away])
    left = np.where(missing[:, column], missing_right == 0, codes[:, column] < thresholds)
    left = left.reshape(rows, forest.trees, forest.nodes)
    node = np.zeros((rows, forest.trees), np.int64)
    for _ in range(forest.depth):
        node = 2 * node + 2 - np.take_along_axis(left, node[:, :, None], 2)[:, :, 0]
    values = leaves.view(np.int64).reshape(forest.trees, forest.leaves)
    reached = values[np.arange(forest.trees), node - forest.nodes]
    return inputs, (reached.sum(axis=1) + (1 << 23)) >> (WEIGHT_BITS - SCORE_BITS)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_trees_score_as_walking_them_does(depth):
    forest = Forest(trees=3, depth=depth)
    inputs, expected = forest_inputs(30, (2, 3), forest, np.random.default_rng())
    program = trees_program.build(30, (2, 3), forest, receiver=0, bound=2.0)
    assert np.array_equal(program.clear(inputs)["score"].view(np.int64)[:, 0], expected)
    transcript = twin.run(program, twin.split(program, inputs))
    assert np.array_equal(transcript.results[0]["score"].view(np.int64)[:, 0], expected)
    assert len(transcript.rounds) == len(program.cost.rounds) <= 9 + (depth - 1).bit_length()


@pytest.mark.parametrize(("trees", "depth"), [(0, 3), (3, 0), (3, 6)])
def test_forests_that_do_not_fit_are_refused(trees, depth):
    with pytest.raises(UsageError):
        Forest(trees, depth)
