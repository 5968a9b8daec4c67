"""Step 1 of the restore procedure: "Membuat surat dan mengisi formulir permintaan restore data"."""

from recovery.procedures.restore import r1_request
from tasks.step import step

request = step("restore.1")(r1_request.request)
