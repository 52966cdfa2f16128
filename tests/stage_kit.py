"""A small stage for whole jobs: a few hundred people of the credit data, signed by both parties."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pyarrow as pa
import pyarrow.compute as pc

from moiety.agreement.manifest import load_job
from moiety.cli.stage import Stage, Terms, set_stage
from moiety.cli.stories import credit
from moiety.data.credit import ID, CreditSplit, split_credit
from moiety.data.ids import normalise_id
from moiety.party.config import load_party
from moiety.party.predict import Scores
from moiety.party.spent import SpentIds

CLIENTS, APPLICANTS, ALONE = 240, 40, 15
TERMS = Terms(max_rows=400, min_common=20, predictions=60)


@cache
def small_split():
    """A few hundred people of the credit data: common clients and applicants, and some alone."""
    whole = split_credit("thin", seed=3)
    known = set(ids_of(whole.payco))
    lender, alone = divide(whole.lender, known)
    applicants, new = divide(whole.applicants, known)
    clients, chosen = lender.slice(0, CLIENTS), applicants.slice(0, APPLICANTS)
    common, others = divide(whole.payco, set(ids_of(clients)) | set(ids_of(chosen)))
    return CreditSplit(
        lender=pa.concat_tables([clients, alone.slice(0, ALONE)]),
        applicants=pa.concat_tables([new.slice(0, ALONE), chosen]),
        payco=pa.concat_tables([others.slice(0, ALONE), common]),
    )


def ids_of(table):
    return [normalise_id(one) for one in table[ID].to_pylist()]


def divide(table, wanted):
    mask = pa.array([one in wanted for one in ids_of(table)])
    return table.filter(mask), table.filter(pc.invert(mask))


def make_stage(folder, terms=TERMS):
    return set_stage(folder, credit(small_split()), terms)


@cache
def base():
    """One stage for all tests; whoever spoils one takes a copy."""
    return make_stage(Path(mkdtemp(prefix="moiety-stage-")))


def scores(play):
    """What the lender has learnt so far, by id."""
    return Scores(play.job_folder("lender")).read()


def spent(play, name):
    """The ids that a party has written down as scored."""
    key = load_party(play.homes[name]).signing_key.derive(load_job(play.job).hash)
    return SpentIds(play.job_folder(name), key)


class Play(Stage):
    """A copy of the stage: the same keys, tables, job and signatures, and no run yet."""

    def edit(self, path, old, new):
        """Replaces one text in a file of the stage."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert old in text, (path, old)
        file.write_text(text.replace(old, new), encoding="utf-8")

    def job_folder(self, name):
        """The folder with this party's runs of the one job."""
        (folder,) = (self.homes[name] / "jobs").iterdir()
        return folder


def copy_stage(folder):
    return copy_of(base(), folder)


def copy_of(stage, folder):
    """A copy of any stage, to be spoilt."""
    shutil.copytree(stage.folder, folder)
    return Play(folder, stage.actors, stage.terms, stage.address)
