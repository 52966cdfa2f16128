"""Plans that fit their network."""

from dataclasses import replace

from moiety.lang.primitive import DEALER
from moiety.lang.trace import trace
from moiety.lang.types import SHARED, words
from moiety.ops.compare import select
from moiety.ops.convert import reveal, truncate_exact
from moiety.plan import pipeline
from moiety.plan.candidates import assemble, candidates
from moiety.plan.network import NETWORKS, Machine, Network, Setting
from moiety.plan.pipeline import PASSES, Target
from moiety.plan.plan import Planned
from moiety.plan.select import estimate, work

S = words((4,), SHARED, (-100, 100))
F = words((4,), SHARED, (-(2**20), 2**20), 18)


def ways(function, network, **inputs):
    plan = pipeline.compile(trace(function, inputs), Target(network=network))
    return [step.way.name for _, step in plan.steps() if not step.way.local], plan


def test_a_slow_network_takes_fewer_rounds_and_a_fast_one_fewer_bytes():
    def function(x, y):
        return {"c": x < y}

    lan, many = Network("fast", 1e-6, 1.25e8), replace(F, shape=(5000,))
    near_, plan = ways(function, lan, x=many, y=many)
    far, other = ways(function, "wan", x=many, y=many)
    assert near_ != far and plan.hash != other.hash
    assert len(other.cost.rounds) < len(plan.cost.rounds)
    assert other.cost.dealt > plan.cost.dealt


def test_a_step_off_the_longest_chain_takes_fewer_bytes():
    """Alone a comparison would take one round; beside a longer one it takes the cheap way."""

    def both(x, y):
        slow = truncate_exact(x * y, shift=18)
        return {"c": x < y, "s": reveal(slow, to=0)}

    chosen, _ = ways(both, "wan", x=F, y=F)
    assert "DPF prefix parity" not in chosen
    alone, _ = ways(lambda x, y: {"c": x < y}, "wan", x=F, y=F)
    assert alone == ["DPF prefix parity"]


def test_the_selected_plan_is_never_predicted_slower_than_any_forced_one():
    def function(x, y):
        return {"c": (x < y) ^ (x * y < 5), "s": select(x < 3, x, y)}

    program = trace(function, {"x": S, "y": S})
    machine = Machine()
    for network in NETWORKS.values():

        def seconds(plan, network=network):
            total = sum(
                machine.seconds(work(one, step))
                for _, step in plan.steps()
                for one in candidates(program, step, DEALER)
                if one.way is step.way and one.types == step.types
            )
            return estimate(plan.cost, total, Setting(DEALER, network, machine)).seconds

        best = pipeline.compile(program, Target(network=network, skip=tuple(PASSES)))
        options = {i: candidates(program, step, DEALER) for i, step in program.steps()}
        for place in range(max(map(len, options.values()))):
            forced = {i: found[min(place, len(found) - 1)] for i, found in options.items()}
            assert seconds(best) <= seconds(assemble(program, DEALER, forced)) * (1 + 1e-6)


def test_a_plan_names_its_passes_with_their_times():
    ticks = iter(range(100))
    plan = pipeline.compile(
        trace(lambda x: {"y": x * x}, {"x": S}),
        Target(skip=("place",), clock=lambda: float(next(ticks))),
    )
    assert [one.name for one in plan.passed] == [n for n in pipeline.NAMES if n != "place"]
    assert all(one.seconds == 1.0 for one in plan.passed)
    assert all(isinstance(step, Planned) for _, step in plan.steps())
