"""Two ends of one session, each in a thread."""

from concurrent.futures import ThreadPoolExecutor

from moiety.errors import MoietyError
from moiety.run.session import Session
from moiety.wire.plain import pair


def between(*sides):
    """Runs both ends of one connection in threads; a side that fails tells the other why."""
    channels = pair()

    def end(party):
        with channels[party] as channel:
            try:
                return sides[party](Session(channel, party))
            except MoietyError as error:
                channel.abort(str(error))
                return error

    with ThreadPoolExecutor(2) as pool:
        return [future.result() for future in [pool.submit(end, party) for party in (0, 1)]]
