"""Step 4 of the restore procedure: "Mematikan web service yang ada di server sehingga tidak ada transaksi"."""

from recovery.procedures.restore import r4_stop_service
from tasks.step import step

stop_service = step("restore.4")(r4_stop_service.stop_service)
