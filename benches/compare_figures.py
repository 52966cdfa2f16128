"""The section of docs/figures.md that compares ways."""

from tables import load, size, table


def compare():
    """What each way reaches and costs, and what attacks find."""
    found = load("compare")
    return "\n".join([_costs(found), _attacks(found)])


def _costs(found):
    rows = [
        [
            f"{number} {each['way']}",
            f"{each['auc']:.3f}",
            f"{each['difference']:+.3f}",
            f"{each['ks']:.3f}",
            f"{each['seconds']:.1f} / {each['processor']:.1f}",
            size(each["bytes"]) if each["traffic"] else "–",
            str(each["rounds"]) if each["traffic"] else "–",
            size(max(each["memory"].values())),
        ]
        for number, each in enumerate(found["rows"], 1)
    ]
    note = (
        f"`moiety compare` on the credit story, thin split: a {found['model']} of "
        f"{found['people']:,} common clients, judged on {found['applicants']:,} applicants; each "
        f"way is run in processes of its own, {found['seconds']:.0f} s in all. *Memory*: of the "
        "process that held most. Of the transform ε is of one row, at δ = 1e-6: 8 random "
        "dimensions of the payment company's 18 columns. It protects rows, and nothing that the "
        "model could use is left of them; see [transform](transform.md)."
    )
    head = ["way", "AUC", "to pooled", "KS", "seconds / of processor", "bytes", "rounds", "memory"]
    return table("Ways compared", head, rows, note)


def _attacks(found):
    names = dict.fromkeys(one["attack"] for each in found["rows"] for one in each["findings"])
    rows = []
    for name in names:
        made = [
            next((one for one in each["findings"] if one["attack"] == name), None)
            for each in found["rows"]
        ]
        guess = next(one["guess"] for one in made if one)
        rows.append([name, f"{guess:.3g}", *map(_cell, made)])
    note = (
        "Attacks on what parties received in these runs, by the numbers of ways above. **Bold**: "
        "the 95 % interval lies above what a guess reaches. What each means: [audits](audit.md)."
    )
    head = ["attack", "guess", *(str(number) for number in range(1, 1 + len(found["rows"])))]
    return table("What attacks find", head, rows, note)


def _cell(one):
    if one is None:
        return "–"
    value = f"{one['value']:.3g}"
    return f"**{value}**" if one["leaks"] else value
