"""A letter that came on paper, typed into a YAML file with the fields of the restore request form."""

import re
from collections.abc import Iterator
from pathlib import Path

from recovery.marked_model import validate_marked
from recovery.marked_yaml import Complaint, MarkedDocument, read_marked
from recovery.procedures.restore.begin import fields_with_personal_numbers
from recovery.procedures.restore.request_form import RestoreRequest

# The form's own types would also take a number, as seconds since 1970: a date typed without dashes is one.
_TIMES = {
    "tanggal_surat": (r"\d{4}-\d\d-\d\d", "must be a date like 2026-11-20"),
    "waktu_kejadian": (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", "must be a time like 2026-11-20 09:00 (WIB)"),
}


def read_letter(path: Path) -> RestoreRequest:
    """Given the path of a letter, return the request that it makes.

    Raises ConfigurationError with one line `surat.yaml:12: nip_pemohon: …` per error, all at once.
    """
    document = read_marked(path)
    request, complaints = validate_marked(document, RestoreRequest)
    times = list(_times(document))
    said = {complaint.location for complaint in times}
    complaints = [*times, *(complaint for complaint in complaints if complaint.location not in said)]
    if complaints or request is None:
        raise document.error(complaints)
    numbers = fields_with_personal_numbers(request)
    if numbers:
        raise document.error([Complaint((name,), "holds a 16-digit number (a NIK?)") for name in numbers])
    return request


def _times(document: MarkedDocument) -> Iterator[Complaint]:
    values = document.value if isinstance(document.value, dict) else {}
    for name, (pattern, message) in _TIMES.items():
        value = values.get(name)
        if name in values and not (isinstance(value, str) and re.fullmatch(pattern, value)):
            yield Complaint((name,), message)
