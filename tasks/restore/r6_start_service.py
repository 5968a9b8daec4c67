"""Step 6 of the restore procedure: "Mengaktifkan kembali web service pada server"."""

from recovery.procedures.restore import r6_start_service
from tasks.step import step

start_service = step("restore.6")(r6_start_service.start_service)
