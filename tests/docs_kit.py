"""The demo's main job in the clear: what the walkthrough says must follow from it."""

from dataclasses import dataclass

import numpy as np

from moiety.cli.demo import SEED
from moiety.data.bins import Bins
from moiety.data.credit import credit_schema, split_credit
from moiety.data.ids import normalise_id
from moiety.learn.scorecard import Scorecard, fit_scorecard


@dataclass(frozen=True)
class InTheClear:
    """The joint scorecard of the split `thin`, and everything that it was made of."""

    tables: dict
    rows: dict
    bins: dict[str, Bins]
    codes: dict
    label: np.ndarray
    card: Scorecard
    common: list[str]
    applicants: list[str]

    def number(self, table: str, one: str, column: str) -> int:
        """The number that a table holds for a person."""
        return int(self.tables[table][column].to_numpy()[self.rows[table][one]])

    def parts(self, one: str) -> dict[str, float]:
        """The weight of each of an applicant's columns."""
        found = {}
        for name, cut in self.bins.items():
            table = {"lender": "applicants", "payco": "payco"}[name.split(".")[0]]
            value = np.array([self.number(table, one, name.split(".")[1])])
            found[name] = float(self.card.weights[name][cut.codes(value)[0]])
        return found


def in_the_clear() -> InTheClear:
    """Joins both tables by normalised id, bins, and fits, as the three processes would."""
    split = split_credit("thin", overlap=0.8, seed=SEED)
    tables = {"lender": split.lender, "applicants": split.applicants, "payco": split.payco}
    rows = {
        name: {normalise_id(one): row for row, one in enumerate(table["id"].to_pylist())}
        for name, table in tables.items()
    }
    common = sorted(rows["lender"].keys() & rows["payco"].keys())
    schema, bins, codes = credit_schema().columns, {}, {}
    for party, names in (("lender", split.lender_columns), ("payco", split.payco_columns)):
        chosen = [rows[party][one] for one in common]
        for name in names:
            column = tables[party][name].to_numpy()[chosen]
            bins[f"{party}.{name}"] = cut = Bins.fit(column, 10, schema[name])
            codes[f"{party}.{name}"] = cut.codes(column)
    label = split.lender["default"].to_numpy()[[rows["lender"][one] for one in common]]
    counts = {name: cut.count for name, cut in bins.items()}
    card = fit_scorecard(codes, counts, label.astype(np.uint8))
    applicants = sorted(rows["applicants"].keys() & rows["payco"].keys())
    return InTheClear(tables, rows, bins, codes, label, card, common, applicants)
