"""Step 5 of the backup procedure: "Mengisi formulir pelaksanaan back up"."""

from recovery.procedures.backup import b5_fill_in_form
from tasks.step import step

fill_in_form = step("backup.5")(b5_fill_in_form.fill_in_form)
