"""Step 4 of the backup procedure: "Mengamankan hasil backup"."""

from recovery.procedures.backup import b4_secure
from tasks.step import step

secure = step("backup.4")(b4_secure.secure)
