"""Step 2 of the restore procedure: "Mendisposisi permintaan restore data kepada Kabid Aptika"."""

from recovery.procedures.restore import r2_dispose
from tasks.step import step

dispose = step("restore.2")(r2_dispose.dispose)
