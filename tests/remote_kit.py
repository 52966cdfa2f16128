"""Runners over channels, each party and the dealer in a thread of its own."""

import threading
from contextlib import ExitStack

from moiety.run.contribute import Contribution, Contributors
from moiety.run.remote import Remote
from moiety.run.session import Session
from moiety.run.supply import Limits, RemoteDealer, Service
from moiety.wire.plain import pair

PATIENCE = 60


def joined(*works):
    """What each work returns, or the error that ended it."""
    results = [None] * len(works)

    def run(at, work):
        try:
            results[at] = work()
        except Exception as error:
            results[at] = error

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    return results


def among(names, algorithm, *, receivers=(0, 1), limits=None, dealer=None, **options):
    """What `algorithm(runner)` returns at each party, and the dealer's service.

    `algorithm` may be a list with one for each party. Further parties send shares. `dealer` does
    something else with the service than to serve.
    """
    works = algorithm if isinstance(algorithm, list) else [algorithm] * len(names)
    between, to_dealer = pair(*names[:2]), [pair(name, "dealer") for name in names[:2]]
    further = {name: [pair(name, other) for other in names[:2]] for name in names[2:]}
    service = Service([end for _, end in to_dealer], limits or Limits())
    runners = []

    def computing(party):
        source = RemoteDealer(to_dealer[party][0], party)
        contributors = Contributors({name: ends[party][1] for name, ends in further.items()})
        runner = Remote(
            names,
            session=Session(between[party], party),
            source=source,
            receivers=receivers,
            contributors=contributors,
            **options,
        )
        runners.append(runner)
        with ExitStack() as stack:
            for channel in (between[party], to_dealer[party][0], *contributors.channels.values()):
                stack.enter_context(channel)
            result = works[party](runner)
            source.finish()
            return result

    def contributing(at):
        channels = [near for near, _ in further[names[at]]]
        with ExitStack() as stack:
            for channel in channels:
                stack.enter_context(channel)
            return works[at](Contribution(names, name=names[at], channels=channels))

    def dealing():
        with service.channels[0], service.channels[1]:
            (dealer or Service.serve)(service)
            return service

    return joined(
        lambda: computing(0),
        lambda: computing(1),
        *(lambda at=at: contributing(at) for at in range(2, len(names))),
        dealing,
    )
