"""Step 5 of the restore procedure: "Membuat proses restore data pada data terbaru"."""

from recovery.procedures.restore import r5_restore_data
from tasks.step import step

restore_data = step("restore.5")(r5_restore_data.restore_data)
