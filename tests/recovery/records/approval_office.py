"""A small office with enrolled officials, a restore to decide on, and a clock that stands where a test puts it."""

import base64
import functools
import hashlib
import hmac
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from recovery.records import officials, procedures, schema
from recovery.records.approvals import (
    Answer,
    ApprovalRequest,
    Decision,
    Question,
    RefusedError,
    Submission,
    answer,
    ask,
)
from recovery.records.catalog import Catalog, open_catalog
from recovery.settings import OfficialSettings

NOW = datetime(2026, 11, 20, 15, 0, 3, tzinfo=UTC)
DAY = timedelta(days=1)
KADIS = "196801012000031001"
KABID = "197805052005012002"
EXECUTOR = "198909092015031003"
REQUESTER = "198512122010012004"
STRANGER = "199901012024011009"


def code_of(secret: str, moment: datetime) -> str:
    """RFC 6238 written out once more, so that the tests do not trust the library that they test."""
    counter = int(moment.timestamp()) // 30
    key = base64.b32decode(secret)
    mac = hmac.new(key, counter.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = mac[-1] & 15
    return f"{(int.from_bytes(mac[offset : offset + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


@dataclass
class Office:
    """The catalog with four enrolled officials and open restores run-1, run-2, …"""

    catalog: Catalog
    key: bytes = field(default_factory=lambda: os.urandom(32))
    secrets: dict[str, str] = field(default_factory=dict)

    def open(self) -> "Office":
        self.appoint(KADIS, "kadis", name="Drs. Kadis Contoh")
        self.appoint(KABID, "kabid", name="Siti Contoh")
        self.appoint(EXECUTOR, "pelaksana", name="Budi Contoh")
        self.appoint(REQUESTER, "pemohon", name="Rini Contoh")
        for nip in (KADIS, KABID, EXECUTOR, REQUESTER):
            self.enrol(nip)
        self.procedure("run-1")
        return self

    def procedure(self, procedure_id: str) -> None:
        procedures.open_procedure(
            self.catalog, procedure_id, "restore", application=f"app-{procedure_id}", parameters={}, release="0.1.0"
        )

    def appoint(self, nip: str, *roles: str, **fields: str) -> None:
        settings = {"name": "Contoh", "position": "Jabatan Contoh", "unit": "kominfo", **fields}
        with self.catalog.begin() as connection:
            officials.put(connection, OfficialSettings.model_validate({"nip": nip, "roles": list(roles), **settings}))

    def enrol(self, nip: str, *, renew: bool = False) -> None:
        self.secrets[nip] = officials.enrol(self.catalog, nip, self.key, renew=renew, now=NOW).secret

    def code(self, nip: str, moment: datetime = NOW) -> str:
        return code_of(self.secrets[nip], moment)

    def wrong_code(self, nip: str, moment: datetime = NOW) -> str:
        right = {self.code(nip, moment + timedelta(seconds=30 * steps)) for steps in (-1, 0, 1)}
        return next(code for code in ("907135", "918246", "929357", "930468") if code not in right)

    def question(self, **changes: Any) -> Question:
        terms: dict[str, Any] = {
            "procedure_id": "run-1",
            "step_id": "restore.3",
            "roles": ("kabid",),
            "document": {"aplikasi": "SIMPEL", "cadangan": "simpel_data_full_20261101t220000+0700"},
            "choices": ("disetujui", "ditolak"),
            "refusals": ("ditolak",),
            "excluded": {REQUESTER: "ia pemohon restore ini"},
            "binding": {"request_hash": "aa" * 32, "manifests": ["bb" * 32], "target": "simpel"},
        }
        return Question(**{**terms, **changes})

    def ask(self, now: datetime = NOW, **changes: Any) -> ApprovalRequest:
        asked = ask(self.catalog, self.question(**changes), lifetime=14 * DAY, now=now)
        assert isinstance(asked, ApprovalRequest)
        return asked

    def answer(
        self,
        request: ApprovalRequest,
        *,
        nip: str = KABID,
        at: datetime = NOW,
        decision: str = "disetujui",
        code: str | None = None,
        document_code: str | None = None,
        note: str = "",
        answers: dict[str, Any] | None = None,
        input_created_at: datetime | None = None,
        resumes: int = 1,
        woken_after: timedelta = timedelta(minutes=7),
        question: Question | None = None,
        can_be_asked: bool = True,
    ) -> Decision:
        """Answer as KABID does it rightly, but for what the test says; `question` is what the step asks by then."""
        typed = Answer(
            decision=decision,
            nip=nip,
            document_code=request.code if document_code is None else document_code,
            code=self.code(nip, at) if code is None else code,
            note=note,
            answers=answers or {},
        )
        submission = Submission(at, at if input_created_at is None else input_created_at, resumes)
        asked_now = question or request.question if can_be_asked else None
        return answer(self.catalog, request, typed, submission, question=asked_now, key=self.key, now=at + woken_after)

    def refused(self, request: ApprovalRequest, **terms: Any) -> RefusedError:
        """Answer, and return the refusal that must follow."""
        try:
            decision = self.answer(request, **terms)
        except RefusedError as error:
            return error
        raise AssertionError(f"the answer was accepted: {decision}")

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """The facts of every ledger entry of one kind."""
        with self.catalog.read() as connection:
            query = select(schema.ledger.c.facts).where(schema.ledger.c.kind == kind).order_by(schema.ledger.c.sequence)
            return [json.loads(text) for text in connection.execute(query).scalars()]

    def rules_broken(self) -> list[str]:
        """The rule named by each recorded refusal, in their order."""
        return [facts["rule"] for facts in self.entries("approval.refused")]

    def official(self, nip: str) -> officials.Official:
        with self.catalog.read() as connection:
            return officials.get(connection, nip)


@contextmanager
def office_in(directory: Path) -> Iterator[Office]:
    """An office on SQLite in this directory, copied from one that was opened once: enrolling takes its time."""
    template, _ = _template()
    shutil.copy(template.catalog.title, directory / "catalog.sqlite")
    catalog = open_catalog(f"sqlite:///{directory / 'catalog.sqlite'}")
    yield Office(catalog, template.key, dict(template.secrets))
    catalog.dispose()


@functools.cache
def _template() -> tuple[Office, tempfile.TemporaryDirectory[str]]:
    directory = tempfile.TemporaryDirectory(prefix="pulih-test-office-")
    catalog = open_catalog(f"sqlite:///{directory.name}/catalog.sqlite")
    catalog.upgrade()
    office = Office(catalog).open()
    # The last connection takes the write-ahead log into the file that is copied.
    catalog.dispose()
    return office, directory
