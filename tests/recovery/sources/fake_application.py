"""A small application that moves money between accounts of a SQLite database: PATH JOURNAL_MODE. The sum stays 0.

Prints a line when it has begun; ends when its stdin is closed, and prints how many transfers it committed.
"""

import random
import select
import sqlite3
import sys

connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
connection.execute(f"PRAGMA journal_mode={sys.argv[2]}").fetchone()
connection.execute("PRAGMA synchronous=OFF")
connection.execute("PRAGMA wal_autocheckpoint=20")
transfers = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    giver, taker = random.sample(range(1, 2001), 2)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE rekening SET saldo = saldo - 1 WHERE id = ?", (giver,))
    connection.execute("INSERT INTO mutasi (dari, ke, isi) VALUES (?, ?, ?)", (giver, taker, "x" * 200))
    connection.execute("UPDATE rekening SET saldo = saldo + 1 WHERE id = ?", (taker,))
    connection.execute("COMMIT")
    transfers += 1
    if transfers == 10:
        print("berjalan", flush=True)
print(transfers, flush=True)
