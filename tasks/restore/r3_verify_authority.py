"""Step 3 of the restore procedure: "Melakukan verifikasi jenis dan kewenangan data"."""

from recovery.procedures.restore import r3_verify_authority
from tasks.step import step

verify_authority = step("restore.3")(r3_verify_authority.verify_authority)
