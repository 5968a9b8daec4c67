"""Step 7 of the restore procedure: "Menerima informasi status aduan kerusakan data"."""

from recovery.procedures.restore import r8_acknowledge
from tasks.step import step

acknowledge = step("restore.8")(r8_acknowledge.acknowledge)
