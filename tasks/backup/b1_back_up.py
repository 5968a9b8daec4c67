"""Step 1 of the backup procedure: "Melakukan back up sesuai dengan jadwal yang telah ditetapkan"."""

from recovery.procedures.backup import b1_back_up
from tasks.step import step

back_up = step("backup.1")(b1_back_up.back_up)
