"""A joint score, and a step of its training, as programs of the language.

moiety explain examples/score.py:score --shape x=1000,10 --shape z=1000,4 --shape w=10 --shape v=4
moiety try examples/score.py:score --arg x=x.npy --arg z=z.npy --arg w=w.npy --arg v=v.npy
"""

from moiety import From, Kept, Results, Shared, To, secure
from moiety import array as xp


@secure
def score(
    x: From("bank", low=-8, high=8),
    z: From("payco", low=-8, high=8),
    w: Shared(low=-1, high=1),
    v: Shared(low=-1, high=1),
) -> To("bank"):
    """The bank learns a probability for each row; nobody learns the weights."""
    return xp.sigmoid(x @ w + z @ v)


@secure
def step(
    x: From("bank", low=-8, high=8),
    z: From("payco", low=-8, high=8),
    y: From("bank", low=0, high=1),
    w: Shared(low=-4, high=4, coins=True),
    v: Shared(low=-4, high=4, coins=True),
) -> Results(w=Kept(), v=Kept()):
    """A step down the gradient of the squared error; the weights stay shares."""

    def loss(w, v):
        return xp.mean(xp.square(xp.sigmoid(x @ w + z @ v) - y))

    return {
        "w": xp.clip(w - 8 * xp.grad(loss, 0)(w, v), -4, 4),
        "v": xp.clip(v - 8 * xp.grad(loss, 1)(w, v), -4, 4),
    }
