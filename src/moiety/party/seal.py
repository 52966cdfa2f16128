"""What leaves a party for the enclave: bin codes of its aligned columns, sealed.

Edges stay with the owner. The label travels with the columns of the party that has it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from moiety.agreement.manifest import Job, Member
from moiety.data.bins import Bins
from moiety.data.table import Table
from moiety.enclave.inputs import LABEL, Columns


@dataclass(frozen=True)
class Binned:
    """A party's columns as bins: how each was cut (private), and the code of each row."""

    bins: dict[str, Bins]
    codes: dict[str, npt.NDArray[np.uint8]]
    label: npt.NDArray[np.uint8] | None

    def __repr__(self) -> str:
        return f"Binned({len(self.bins)} columns)"

    @property
    def counts(self) -> tuple[int, ...]:
        """The number of bins of each column, in the job's order: public."""
        return tuple(bins.count for bins in self.bins.values())

    def recode(self, table: Table) -> "Binned":
        """Another table's rows in the same bins."""
        codes = {name: bins.codes(table[name]) for name, bins in self.bins.items()}
        return Binned(self.bins, codes, table.label)


def bin_columns(job: Job, member: Member, table: Table) -> Binned:
    """The member's columns of the job, cut at unsupervised quantiles of its own aligned rows."""
    bins = {
        name: Bins.fit(table[name], job.model.bins, table.schema.columns[name])
        for name in member.columns
    }
    codes = {name: cut.codes(table[name]) for name, cut in bins.items()}
    return Binned(bins, codes, table.label if member.label else None)


def bin_agreed(job: Job, member: Member, table: Table) -> Binned:
    """The member's columns cut where the job says, so that all owners of rows cut alike.

    Raises:
        DataError: a column may have missing values: agreed bins hold none.
    """
    bins = {
        name: Bins.agreed(job.model.edges[name], table.schema.columns[name])
        for name in member.columns
    }
    codes = {name: cut.codes(table[name]) for name, cut in bins.items()}
    return Binned(bins, codes, table.label if member.label else None)


def columns_of(binned: Binned) -> Columns:
    """The columns as an enclave reads them from a capsule."""
    counts = {name: bins.count for name, bins in binned.bins.items()}
    missing = {name: bins.missing for name, bins in binned.bins.items()}
    return Columns(binned.codes, counts, missing, binned.label)


def to_arrow(binned: Binned) -> bytes:
    """The codes (and the label) as an Arrow IPC stream; bin counts are in the schema's metadata."""
    arrays = dict(binned.codes)
    if binned.label is not None:
        arrays[LABEL] = binned.label
    counts = {name: bins.count for name, bins in binned.bins.items()}
    missing = {name: int(bins.missing) for name, bins in binned.bins.items()}
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
