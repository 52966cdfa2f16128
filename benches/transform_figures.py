"""The section of docs/figures.md about transformed rows: what is left of their use, by epsilon."""

from tables import load, table


def transform():
    """A row for each method and epsilon, a column for each number of dimensions."""
    found = load("transform")
    sizes = sorted({each["dimensions"] for each in found["rows"]})
    cells = {(e["method"], e["epsilon"], e["dimensions"]): e for e in found["rows"]}
    rows = [
        [method, _epsilon(epsilon), f"{cells[method, epsilon, sizes[0]]['sigma']:.2f}"]
        + [_cell(cells[method, epsilon, size]) for size in sizes]
        for method, epsilon in dict.fromkeys(key[:2] for key in cells)
    ]
    alone, joint = (_plain(found[name]) for name in ("alone", "joint"))
    note = (
        f"Logistic regression on the lender's columns and the payment company's points (thin "
        f"split, {found['clients']:,} clients; judged on {found['applicants']:,} applicants): AUC, "
        f"least and most of {found['draws']} draws, KS. δ is 1e-6, rows have norm 1 at most, "
        f"*noise* is its deviation in each dimension. The lender alone: {alone}; all columns in "
        f"the clear: {joint}."
    )
    head = ["method", "ε", "noise", *(f"{size} dimensions" for size in sizes)]
    return table("Transformed rows", head, rows, note)


def _epsilon(value):
    return "∞" if value is None else f"{value:g}"


def _cell(found):
    auc, ks = found["auc"], found["ks"]
    return f"{auc['mean']:.3f} ({auc['least']:.3f}–{auc['most']:.3f}), {ks['mean']:.3f}"


def _plain(found):
    return f"AUC {found['auc']:.3f}, KS {found['ks']:.3f}"
