"""A realistic report for tests, and a strict reader of pages."""

import hashlib
import html.parser
from datetime import UTC, datetime

import numpy as np

from moiety.data.bins import Bins
from moiety.report.assess import column_bins, compare
from moiety.report.content import (
    Check,
    Evidence,
    Header,
    Learned,
    Oracle,
    PartyReport,
    PartyRole,
    RecordReference,
    Trust,
)
from moiety.report.cost import Latency, StepCost, Traffic

NOW = datetime(2026, 11, 23, 17, 22, 5, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m\u202e[bold]{{ 7 * 7 }}"
DIGEST = hashlib.sha256(b"sample").hexdigest()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sample_comparison(rows=4800, *, seed=7, own=0.42, other=1.05):
    """Realistic shape: a lender with a thin file, a payment company that knows behaviour."""
    rng = np.random.default_rng(seed)
    mine, theirs = rng.normal(size=(2, rows))
    outcome = (rng.random(rows) < sigmoid(-1.55 + own * mine + other * theirs)).astype(np.int64)
    alone = sigmoid(-1.32 + 0.36 * mine)
    joint = sigmoid(-1.55 + own * mine + other * theirs + 0.2 * rng.normal(size=rows))
    return compare(outcome, alone, joint)


def sample_columns(outcomes: bool):
    rng = np.random.default_rng(3)
    rows = 9600
    y = (rng.random(rows) < 0.22).astype(np.uint8)
    limit = rng.lognormal(11.7, 0.8, rows).round(-3) * np.where(y, 0.7, 1)
    columns = {
        ("limit_bal", "NT$, credit granted to the client and family"): limit.round(-3),
        ("age", "years"): rng.integers(21, 70, rows).astype(float),
        ("education", "1 graduate school, 2 university, 3 high school, 4 other"): rng.choice(
            [1.0, 2.0, 3.0, 4.0], rows, p=[0.35, 0.47, 0.16, 0.02]
        ),
        ("marriage", "1 married, 2 single, 3 other"): rng.integers(1, 4, rows).astype(float),
    }
    if not outcomes:
        columns = {
            (f"{name}{month}", f"{unit} {month} months ago"): rng.normal(m, s, rows).round(0)
            for name, unit, m, s in (
                ("pay_", "months of delay", 0, 1.4),
                ("bill_amt", "NT$, bill", 50_000, 40_000),
                ("pay_amt", "NT$, paid", 6_000, 4_000),
            )
            for month in (1, 2, 3)
        }
    made = []
    for (name, unit), values in columns.items():
        cut = Bins.fit(values, 10)
        made.append(column_bins(name, unit, cut, cut.codes(values), y if outcomes else None))
    return tuple(made)


def step(name, peer, rounds, sent, received, took, *, predicted=True):
    traffic = Traffic(rounds, sent, received)
    return StepCost(name, peer, traffic, traffic if predicted else None, took)


def sample_report(party="lender", *, simulated=True) -> PartyReport:
    lender = party == "lender"
    header = Header(
        purpose="joint credit score of a rural lender and a payment company",
        job_hash=DIGEST,
        party=party,
        label_holder="lender",
        scores_to="lender",
        parties=(
            PartyRole("lender", "brings outcomes and 4 columns, receives scores"),
            PartyRole("payco", "brings 9 columns"),
        ),
        date=NOW,
        model="WOE scorecard, 10 bins a column",
        version="0.1.0",
        simulated=simulated,
    )
    evidence = Evidence("SGX quote v3", DIGEST, DIGEST[::-1], "UpToDate", (), NOW)
    return PartyReport(
        header=header,
        comparison=sample_comparison() if lender else None,
        columns=sample_columns(lender),
        steps=(
            step("agree", "payco", 2, 412, 412, 0.021, predicted=False),
            step("align training rows", "payco", 3, 1_843_200, 1_228_800, 2.81),
            step("attest", "enclave", 2, 1_204, 9_377, 0.094, predicted=False),
            step("upload sealed columns", "enclave", 1, 49_308, 0, 0.012),
            step("receive shares and correlations", "enclave", 1, 0, 23_412_208, 0.64),
            step("align applicants", "payco", 3, 460_800, 307_200, 0.71),
            step("score 4,800 applicants", "payco", 6, 1_018_400, 1_018_400, 0.083),
        ),
        learned=(
            Learned("lender", "which of its training rows payco knows", 9600, "rows are aligned"),
            Learned("payco", "which of its clients lender has booked", 9600, "rows are aligned"),
            Learned("lender", "score of each aligned applicant", 4800, "the purpose of the job"),
            Learned("payco", "nothing about scores or outcomes", 0, "it receives none"),
        ),
        trust=Trust(
            host="operator",
            evidence=evidence,
            checks=(
                Check("measurement", DIGEST[:16] + "…", DIGEST[:16] + "…", True),
                Check("TCB status", "UpToDate", "UpToDate", True),
                Check("simulation", "allowed under the pinned root", "simulated", True),
                Check("debug", "never", "off", True),
            ),
            weights=134,
        ),
        oracle=Oracle(4800, 3.14e-7, -2.0e-8, 9.8e-4) if lender else None,
        latencies=(
            Latency("one applicant", 1, 6, 0.0021, 0.0034),
            Latency("one batch", 4800, 6, 0.083),
        ),
        record=RecordReference("record.jsonl", "ed25519:" + "A" * 43 + "=", DIGEST, 14),
    )


class Page(html.parser.HTMLParser):
    """The elements and words of a page; fails on an element that is not closed in its place."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self, source):
        super().__init__()
        self.elements, self.words, self.style, self._open = [], [], "", []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] == "style":
            self.style += data
        else:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]
