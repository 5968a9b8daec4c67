"""Step 3 of the backup procedure: "Memberi nama back up sesuai dengan ketentuan"."""

from recovery.procedures.backup import b3_name
from tasks.step import step

name = step("backup.3")(b3_name.name)
