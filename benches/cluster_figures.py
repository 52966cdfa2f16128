"""The section of docs/figures.md on boosting by several workers."""

from tables import load, size, table


def cluster():
    """Channels beside LightGBM's sockets, and sealed shards."""
    found = load("cluster")
    return "\n".join([_ways(found["rows"]), _shards(found["shards"])])


def _ways(rows):
    lines = []
    for each in rows:
        other = each["sockets" if each["workers"] > 1 else "alone"]
        lines.append(
            [
                f"{each['table']}, {each['rows']:,} × {each['columns']}, {each['rounds']} trees",
                str(each["workers"]),
                f"{each['alone']['seconds']:.1f}",
                f"{other['seconds']:.1f}" if each["workers"] > 1 else "–",
                f"{each['channels']['seconds']:.1f}",
                f"{each['ratio']:.2f}",
                f"{each['channels']['cpu'] / other['cpu']:.2f}",
                size(each["sent"]),
            ]
        )
    note = (
        "LightGBM, 31 leaves; one thread and one core for each worker, of which the machine has "
        "fewer than four; median of three, the ways taking turns. *Alone*: LightGBM without moiety "
        "on all rows. *Sockets*: its own, in the clear. *Channels*: TLS 1.3, attested both ways. "
        "The trees of sockets and channels are the same to the last bit. *Ratio*: channels to "
        "sockets, or to alone for one worker, in seconds and in processor time. *Sent*: by one "
        "worker."
    )
    head = ["table", "workers", "alone s", "sockets s", "channels s", "ratio", "of processor"]
    return table("Boosting by several workers", [*head, "sent"], lines, note)


def _shards(rows):
    lines = [
        [
            f"{each['rows']:,} × {each['columns']}, {each['rounds']} trees",
            str(each["workers"]),
            f"{each['seconds']:.0f}",
            f"{each['cpu']:.0f}",
            size(each["memory"]),
        ]
        for each in rows
    ]
    note = (
        "Each worker streams its part from a sealed Parquet file: opening, decoding and binning "
        "are in the time. *Memory*: the most that a worker held beside what it held before."
    )
    head = ["rows × columns", "workers", "seconds", "processor s of one", "memory of one"]
    return table("Boosting on sealed shards", head, lines, note)
