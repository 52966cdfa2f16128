"""What a report is made of: comparisons, sentences, charts, numbers."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety.data.bins import Bins
from moiety.errors import DataError
from moiety.report import charts, statements, svg, text
from moiety.report.assess import column_bins, compare
from moiety.report.content import (
    Comparison,
    Distribution,
    PartyReport,
    Performance,
    Ranking,
    Tenth,
)
from moiety.report.page import render
from report_kit import HOSTILE, NOW, Page, sample_report, sigmoid


def brute_interval(y, alone, joint):
    """DeLong's interval from its definition: every pair of a bad and a good applicant."""
    parts = []
    for score in (alone, joint):
        bad, good = score[y == 1][:, None], score[y == 0][None, :]
        parts.append((bad > good) + 0.5 * (bad == good))
    gain = parts[1] - parts[0]
    of_bad, of_good = gain.mean(axis=1), gain.mean(axis=0)
    spread = np.sqrt(of_bad.var(ddof=1) / len(of_bad) + of_good.var(ddof=1) / len(of_good))
    return gain.mean() - 1.959964 * spread, gain.mean() + 1.959964 * spread


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_the_interval_is_delongs_and_ignores_the_order_of_rows(seed):
    rng = np.random.default_rng(seed)
    y = np.append([0, 0, 1, 1], rng.integers(0, 2, 40))
    alone, joint = rng.integers(0, 6, (2, len(y))) / 8
    found = compare(y, alone, joint)
    assert found.auc_interval == pytest.approx(brute_interval(y, alone, joint))
    order = rng.permutation(len(y))
    again = compare(y[order], alone[order], joint[order])
    assert (again.alone.ks, again.joint.auc) == pytest.approx((found.alone.ks, found.joint.auc))
    assert again.joint.tenths == found.joint.tenths


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(200):
        y = (rng.random(300) < 0.3).astype(np.int64)
        signal = y + rng.normal(size=300) * 1.5
        alone, joint = (sigmoid(signal + rng.normal(size=300)) for _ in range(2))
        low, high = compare(y, alone, joint).auc_interval
        covered += low <= 0 <= high
    assert 180 <= covered <= 199


def test_a_comparison_known_by_hand():
    y = np.array([1, 1, 0, 1, 0, 0])
    found = compare(y, np.full(6, 0.5), np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.1]))
    assert (found.alone.auc, found.alone.ks) == (0.5, 0.0)
    assert found.joint.auc == pytest.approx(8 / 9) and found.joint.ks == pytest.approx(2 / 3)
    assert np.isnan(found.ks_uplift) and found.auc_uplift == pytest.approx(7 / 9)
    assert len(found.alone.tenths) == 1 and found.alone.tenths[0].capture == 1.0
    ranking = found.joint.ranking
    assert ranking.applicants.tolist() == pytest.approx([0, 1 / 6, 1 / 3, 0.5, 2 / 3, 5 / 6, 1])


def test_thinning_keeps_the_widest_gap():
    rng = np.random.default_rng(5)
    y = (rng.random(20_000) < 0.3).astype(np.int64)
    p = sigmoid(y + rng.normal(size=20_000))
    model = compare(y, p, p).joint
    assert len(model.ranking.bad) <= 401
    assert float(np.max(model.ranking.bad - model.ranking.good)) == pytest.approx(model.ks)


@pytest.mark.parametrize("y", [[0, 0, 0], [1], [1, 1]])
def test_one_outcome_only_is_no_comparison(y):
    p = np.linspace(0.1, 0.2, len(y))
    assert compare(np.array(y), p, p) is None
    header = sample_report().header
    assert "outcomes of the new applicants are not" in render(PartyReport(header))


@pytest.mark.parametrize("p", [[0.1], [0.1, 1.2], [0.1, float("nan")], [[0.1], [0.2]]])
def test_what_are_no_predictions_is_refused(p):
    with pytest.raises(DataError, match="probabilities"):
        compare(np.array([0, 1]), np.array(p), np.array([0.1, 0.2]))


def test_columns_hold_outcomes_only_where_the_party_does():
    values = np.array([1.0, 1, 2, 2, 2, 3])
    cut = Bins.fit(values, 10)
    y = np.array([1, 1, 0, 1, 0, 0], np.uint8)
    own = column_bins("age", "years", cut, cut.codes(values), y)
    theirs = column_bins("age", "years", cut, cut.codes(values))
    assert [each.rows for each in own.bins] == [each.rows for each in theirs.bins] == [2, 3, 1]
    assert own.rows == 6 and own.bins[0].bad_rate == 1.0 and own.bins[0].woe > 0 > own.bins[2].woe
    assert own.iv > 0 and theirs.iv is None
    assert all(each.woe is None and each.bad_rate is None for each in theirs.bins)


def told(before, after, interval=(0.01, 0.02)):
    found = sample_report().comparison
    alone, joint = replace(found.alone, ks=before), replace(found.joint, ks=after)
    return statements.verdict(replace(found, alone=alone, joint=joint, auc_interval=interval))


@pytest.mark.parametrize(
    ("before", "after", "interval", "title"),
    [
        (0.19, 0.417, (0.1, 0.2), "Joining is worth it here"),
        (0.40, 0.42, (0.001, 0.2), "Joining is hardly worth it here"),
        (0.20, 0.2201, (0.001, 0.2), "Joining is worth it here"),
        (0.20, 0.2199, (0.001, 0.2), "Joining is hardly worth it here"),
        (0.19, 0.417, (-0.1, 0.2), "Joining is hardly worth it here"),
        (0.19, 0.417, None, "Joining is worth it here"),
        (0.40, 0.40, (0.1, 0.2), "Joining does not help here"),
        (0.40, 0.30, (0.1, 0.2), "Joining does not help here"),
        (0.0, 0.30, (0.1, 0.2), "Joining is worth it here"),
    ],
)
def test_the_verdict_is_plain(before, after, interval, title):
    assert told(before, after, interval).title == title


def test_small_uplifts_say_how_small():
    words = told(0.40, 0.42).text.replace("\u202f", " ")
    assert "+5.0 %" in words and "less than the 10 %" in words


def degenerate():
    one = compare(np.array([0, 1]), np.array([0.5, 0.5]), np.array([0.0, 1.0]))
    tied = compare(np.array([0, 1] * 50), np.full(100, 0.3), np.full(100, 0.3))
    worse = compare(np.array([0, 1]), np.array([0.2, 0.1]), np.array([1.0, 0.0]))
    rare = compare(np.append(1, np.zeros(999, int)), *np.full((2, 1000), 1e-4))
    empty = Performance(
        "empty",
        float("nan"),
        float("nan"),
        Ranking(*(np.array([0.0, float("nan")]),) * 3),
        Distribution(np.array([0.0, 1.0]), (("good", np.zeros(1)), ("bad", np.zeros(1)))),
        (Tenth(1, 1, *[float("nan")] * 5),),
    )
    return [one, tied, worse, rare, Comparison(1, 0, empty, empty)]


@pytest.mark.parametrize("found", degenerate())
def test_charts_stand_degenerate_data(found):
    drawn = [charts.roc(found), charts.tenths(found), charts.capture(found)]
    drawn += [charts.calibration(found), charts.ks("ks", found.joint)]
    shape = found.joint.distribution
    drawn.append(charts.distribution("d", "joint", shape, charts.highest_share(shape)))
    for chart in drawn:
        Page(chart)
        assert not re.search(r"nan|inf|e[-+]\d", re.sub(r"<(title|desc).*?</\1>", "", chart))
    Page(render(replace(sample_report(), comparison=found)))


def test_every_number_in_a_chart_lies_within_it():
    for points in re.findall(r'points="([^"]+)"', render(sample_report())):
        pairs = [tuple(map(float, pair.split(","))) for pair in points.split()]
        assert all(0 <= x <= svg.WIDTH and 0 <= y <= svg.HEIGHT for x, y in pairs)


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_an_axis_has_few_round_ticks_within_its_range(low, length):
    made = svg.axis(low, low + length, "", str)
    assert made.high > made.low and 1 <= len(made.ticks) <= 12
    slack = 1e-6 * (made.high - made.low) + 1e-6
    assert all(made.low - slack <= tick <= made.high + slack for tick in made.ticks)


@given(st.one_of(st.floats(1e-9, 1e9), st.sampled_from([0.0, -1.0, float("nan"), float("inf")])))
def test_an_axis_from_zero_reaches_its_value(high):
    made = svg.axis_from_zero(high, "", str)
    assert made.low == 0 and made.high > 0 and made.ticks[0] == 0
    assert not np.isfinite(high) or made.high >= high * (1 - 1e-9)


def test_attributes_and_words_of_an_element_are_escaped():
    drawn = svg.element("text", HOSTILE, class_=HOSTILE, text_anchor="end", x=1.25)
    page = Page(drawn)
    seen = text.plain(HOSTILE)
    assert page.elements == [("text", {"class": seen, "text-anchor": "end", "x": "1.2"})]
    assert page.words == [seen]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (text.count(1240512), "1,240,512"),
        (text.count(None), "–"),
        (text.decimal(0.41666), "0.417"),
        (text.decimal(float("nan")), "–"),
        (text.signed(-0.0125), "−0.013"),
        (text.percent(0.2212), "22.1 %"),
        (text.uplift(1.1933), "+119 %"),
        (text.uplift(-0.042), "−4.2 %"),
        (text.power(3.14e-7), "3.1 × 10⁻⁷"),
        (text.power(-2e-8), "−2.0 × 10⁻⁸"),
        (text.power(0.0), "0"),
        (text.power(0.0123), "0.0123"),
        (text.seconds(0.0000173), "17 µs"),
        (text.seconds(0.0042), "4.2 ms"),
        (text.seconds(0.9994), "999 ms"),
        (text.seconds(0.9996), "1.00 s"),
        (text.seconds(59.96), "1 min 00 s"),
        (text.seconds(0.0), "0.0 ms"),
        (text.seconds(3723), "62 min 03 s"),
        (text.size(999), "999 B"),
        (text.size(1000), "1.00 kB"),
        (text.size(1240512), "1.24 MB"),
        (text.size(999_950), "1.00 MB"),
        (text.size(26_000_000), "26.0 MB"),
        (text.moment(NOW), "2026-11-23 17:22:05 UTC"),
        (text.listing(["a", "b", "c"]), "a, b and c"),
        (text.listing([]), "–"),
        (text.strength(0.3), "strong"),
        (text.strength(0.51), "suspiciously strong"),
        (text.plain("a\nb\x1b\u202ec"), "a b��c"),
    ],
)
def test_numbers_read_well(made, expected):
    assert made.replace("\u202f", " ") == expected
