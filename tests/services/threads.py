"""Several people at the same moment, each with a connection of their own."""

import threading

from django.db import connections


def at_once(*calls):
    """Run all of them at the same moment, each with a connection of its own; their results or refusals."""
    barrier, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(position, do):
        barrier.wait(60)
        try:
            results[position] = do()
        except Exception as error:
            results[position] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(position, do)) for position, do in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results
