"""Step 6 of the backup procedure: "Menerima dan memeriksa formulir back up"."""

from recovery.procedures.backup import b6_review
from tasks.step import step

review = step("backup.6")(b6_review.review)
