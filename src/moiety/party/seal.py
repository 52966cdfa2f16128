"""What leaves a party for the enclave: bin codes of its aligned columns, sealed.

Edges stay with the owner. The label travels with the columns of the party that has it.
"""

import pyarrow as pa

from moiety.enclave.inputs import LABEL, Columns
from moiety.party.coded import Coded


def columns_of(own: Coded) -> Columns:
    """The columns as an enclave reads them from a capsule."""
    counts = dict(zip(own.codings, own.counts, strict=True))
    missing = dict(zip(own.codings, own.missing, strict=True))
    return Columns(own.codes, counts, missing, own.label)


def to_arrow(own: Coded) -> bytes:
    """The codes (and the label) as an Arrow IPC stream; bin counts are in the schema's metadata."""
    arrays = dict(own.codes)
    if own.label is not None:
        arrays[LABEL] = own.label
    counts = dict(zip(own.codings, own.counts, strict=True))
    missing = dict(zip(own.codings, map(int, own.missing), strict=True))
    fields = [
        pa.field(
            name,
            pa.uint8(),
            nullable=False,
            metadata={"bins": str(counts.get(name, 2)), "missing": str(missing.get(name, 0))},
        )
        for name in arrays
    ]
    columns = [pa.array(array, pa.uint8()) for array in arrays.values()]
    table = pa.table(columns, schema=pa.schema(fields))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())
