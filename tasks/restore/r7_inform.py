"""Step 6 of the restore procedure: "Menginformasikan status kerusakan kepada Pemohon"."""

from recovery.procedures.restore import r7_inform
from tasks.step import step

inform = step("restore.7")(r7_inform.inform)
