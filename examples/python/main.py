"""A worker on PostgreSQL. It knows nothing of Vault: DATABASE_URL is all that it is told."""

import os
import signal
import sys
import threading

import psycopg
from psycopg_pool import ConnectionPool

WORKERS = 8

stopped = threading.Event()
done, failed = [], []


def work(pool: ConnectionPool) -> None:
    """One piece of work after another, in a transaction each, until the program is to end."""
    while not stopped.wait(0.01):
        try:
            with pool.connection() as connection:
                inserted = connection.execute("INSERT INTO visits (by) VALUES (%s) RETURNING id", ("python",))
                connection.execute("SELECT by FROM visits WHERE id = %s", inserted.fetchone())
            done.append(1)
        except psycopg.Error as error:
            failed.append(1)
            print(f"failed: {error}", file=sys.stderr, flush=True)


def main() -> None:
    # What is under way is finished, and nothing new is begun.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    options = {
        # PgBouncer hands each transaction to another connection, where nobody has prepared the statement (it can since 1.21).
        "prepare_threshold": None,
    }
    with ConnectionPool(os.environ["DATABASE_URL"], kwargs=options, max_size=WORKERS) as pool:
        workers = [threading.Thread(target=work, args=(pool,)) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        print("working", flush=True)
        for worker in workers:
            worker.join()
    print(f"done: {len(done)}, failed: {len(failed)}", flush=True)


main()
