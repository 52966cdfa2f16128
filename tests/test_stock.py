"""Lots that were dealt ahead: each is taken once, whatever happens, and for its own purpose."""

import stat

import pytest

import moiety
from moiety.errors import MaterialError, UsageError
from moiety.function.signature import From, Kept
from moiety.party.stock import Stock
from moiety.run.dealing import Dealer


def product(size):
    """The plan of a product of as many numbers, which takes triples."""

    @moiety.secure
    def multiply(x: From("bank", low=-8, high=8), y: From("payco", low=-8, high=8)) -> Kept():
        return x * y

    return multiply.compile({"x": (size,), "y": (size,)}).plan


PLAN, OTHER = product(3), product(4)


def filled(folder, *, runs=(1, 2), seal=True):
    """Two parties' stocks, of one lot for each of these numbers of runs."""
    dealer, stocks = Dealer(), [Stock(folder / str(party), party) for party in (0, 1)]
    for count in runs:
        for stock, part in zip(stocks, dealer.deal(PLAN.bill, count), strict=True):
            stock.put(PLAN.bill, count, {}, part)
    if seal:
        for stock in stocks:
            stock.seal("record-1.jsonl", simulated=False)
    return stocks


def words(material, party):
    """All corrections of a part."""

    def completed(spending):
        spending.complete()
        return spending.corrections

    return list(map(completed, material.spend(PLAN.bill, party)))


@pytest.fixture
def folder(tmp_path):
    for party in (0, 1):
        (tmp_path / str(party)).mkdir()
    return tmp_path


def test_lots_are_taken_in_order_and_both_parties_have_the_same(folder):
    stocks = filled(folder)
    labels = [stock.label() for stock in stocks]
    assert labels[0].seen == labels[1].seen and labels[0].lots == 2
    found = []
    for party, stock in enumerate(stocks):
        stock.open()
        parts = [stock.lot(PLAN.bill, runs, {}) for runs in (1, 2)]
        found.append([part.lot.lot for part in parts])
        sizes = [[len(data) for data in words(part, party)] for part in parts]
        assert sizes == [[PLAN.bill.sizes[party]] * runs for runs in (1, 2)]
        with pytest.raises(MaterialError, match="used up"):
            stock.lot(PLAN.bill, 1, {})
    assert found[0] == found[1] and len(set(found[0])) == 2


def test_a_lot_is_gone_before_it_is_used(folder):
    stock, _ = filled(folder)
    files = sorted(path.name for path in stock.folder.glob("*.lot"))
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in stock.folder.iterdir())
    stock.open()
    stock.lot(PLAN.bill, 1, {})
    assert sorted(path.name for path in stock.folder.glob("*.lot")) == files[1:]
    again = Stock(stock.folder, 0)
    assert again.label() is None, "a run that broke off has no stock any more"
    with pytest.raises(MaterialError):
        again.lot(PLAN.bill, 1, {})


def test_a_stock_that_is_not_whole_is_none(folder):
    stock, other = filled(folder, seal=False)
    assert stock.label() is None
    stock.seal("record-1.jsonl", simulated=True)
    assert stock.label().simulated
    next(stock.folder.glob("*1.lot")).unlink()
    assert stock.label() is None
    other.seal("record-1.jsonl", simulated=False)
    assert other.label().seen != Stock(stock.folder, 0)._seen.digest()


def test_a_lot_for_something_else_is_refused_and_gone(folder):
    stock, other = filled(folder)
    stock.open()
    with pytest.raises(MaterialError, match="another computation"):
        stock.lot(OTHER.bill, 1, {})
    other.open()
    with pytest.raises(MaterialError, match="another computation"):
        other.lot(PLAN.bill, 2, {})
    with pytest.raises(MaterialError, match="another computation"):
        other.lot(PLAN.bill, 1, {})


@pytest.mark.parametrize("content", [b"", b"\x05\x00", b"\xff\xff" + bytes(9), bytes(200)])
def test_a_damaged_lot_is_told(folder, content):
    _, stock = filled(folder)
    next(stock.folder.glob("*0.lot")).write_bytes(content)
    stock.open()
    with pytest.raises(MaterialError, match="not as it was written"):
        stock.lot(PLAN.bill, 1, {})


def test_a_lot_that_was_cut_short_is_not_used(folder):
    _, stock = filled(folder, runs=(3,))
    path = next(stock.folder.glob("*.lot"))
    path.write_bytes(path.read_bytes()[:-1])
    stock.open()
    spendings = stock.lot(PLAN.bill, 3, {}).spend(PLAN.bill, 1)
    next(spendings), next(spendings)
    with pytest.raises(MaterialError, match="bytes of corrections"):
        next(spendings).complete()


def test_a_damaged_label_is_told(folder):
    stock, _ = filled(folder)
    (stock.folder / "label").write_bytes(b"nonsense")
    with pytest.raises(UsageError, match="not as it was written"):
        stock.label()
