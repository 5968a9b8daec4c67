"""Both procedures, and a restore's other endings, as lists of actions, each of which can be played by a process of its
own, and played again."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.conclude import (
    conclude_backup,
    conclude_cancelled,
    conclude_rejected,
    conclude_restore,
    conclude_returned,
)
from recovery.procedures.restore.begin import begin_restore
from tests.testbed.small_office import (
    DISPOSITION,
    EXECUTOR,
    KABID,
    KADIS,
    REQUESTER,
    REVIEW,
    VERIFICATION,
    SmallOffice,
    restore_request,
)

COMPONENTS = ("simpel/data", "simpel/berkas")
# Which procedure of the SOP a play is one of.
KINDS = {
    "backup": "backup",
    "restore": "restore",
    "returned": "restore",
    "rejected": "restore",
    "cancelled": "restore",
}
PROCEDURE_IDS = {
    "backup": "b0000000-0000-4000-8000-000000000001",
    "restore": "a0000000-0000-4000-8000-000000000002",
}
ACTIONS: dict[str, tuple[str, ...]] = {
    "backup": (
        "begin",
        *(f"backup.{number} {component}" for component in COMPONENTS for number in (1, 2, 3, 4)),
        "backup.5",
        "decide backup.6",
        "backup.6",
        "conclude",
    ),
    "restore": (
        "begin",
        "restore.1",
        "decide restore.2",
        "restore.2",
        "decide restore.3",
        "restore.3",
        "decide restore.start",
        "restore.4",
        "restore.5",
        "restore.6",
        "restore.7",
        "decide restore.8",
        "restore.8",
        "conclude",
    ),
    # What officials refuse: each begins where the whole restore stands before this action of the same name.
    "returned": ("decide restore.2", "restore.2", "conclude"),
    "rejected": ("decide restore.3", "restore.3", "conclude"),
    "cancelled": ("decide restore.start", "conclude"),
}
# The critical section: its processes may die while somebody else starts the service.
CRITICAL = ("restore.4", "restore.5", "restore.6")
# The service is stopped before these.
DOWN_BEFORE = ("restore.5", "restore.6")
DECISIONS: dict[str, tuple[str, str, dict[str, str]]] = {
    "backup.6": (KABID, "sesuai", REVIEW),
    "restore.2": (KADIS, "diteruskan", DISPOSITION),
    "restore.3": (KABID, "disetujui", VERIFICATION),
    "restore.start": (EXECUTOR, "mulai", {}),
    "restore.8": (REQUESTER, "sesuai", {}),
}
REFUSALS: dict[tuple[str, str], tuple[str, str, dict[str, str]]] = {
    ("returned", "restore.2"): (KADIS, "dikembalikan", {**DISPOSITION, "note": "Surat belum lengkap."}),
    ("rejected", "restore.3"): (KABID, "ditolak", {**VERIFICATION, "note": "Bukan pemilik data."}),
    ("cancelled", "restore.start"): (EXECUTOR, "batalkan", {"note": "Di luar jam layanan."}),
}
CONCLUSIONS = {
    "backup": conclude_backup,
    "restore": conclude_restore,
    "returned": conclude_returned,
    "rejected": conclude_rejected,
    "cancelled": conclude_cancelled,
}


@dataclass
class Play:
    """One procedure in an office, action by action."""

    office: SmallOffice
    procedure: str

    @property
    def kind(self) -> str:
        """ "backup" or "restore"."""
        return KINDS[self.procedure]

    @property
    def procedure_id(self) -> str:
        """The same in every process, so that the procedure is entered again and not begun anew."""
        return PROCEDURE_IDS[self.kind]

    @property
    def actions(self) -> tuple[str, ...]:
        """All actions in their order."""
        return ACTIONS[self.procedure]

    def after(self, action: str) -> tuple[str, ...]:
        """The actions that follow one."""
        return self.actions[self.actions.index(action) + 1 :]

    def prepare(self) -> None:
        """Do what the procedure presupposes: a restore needs a secured backup, and damage."""
        if self.kind == "restore":
            self.office.back_up()
            self.office.damage()

    def act(self, action: str, *, again: bool = False) -> Any:
        """Play an action; `again` after it was interrupted."""
        kind, _, rest = action.partition(" ")
        if kind == "decide":
            return self._decide(rest, again=again)
        single: dict[str, Callable[[], Any]] = {"begin": self._begin, "conclude": self._conclude}
        return single.get(action, partial(self.office.step, kind, self.procedure_id, rest))()

    def _begin(self) -> Any:
        installation = self.office.installation
        if self.kind == "backup":
            return begin_backup(installation, self.procedure_id, schedule_name="bulanan", routine=True)
        return begin_restore(installation, self.procedure_id, restore_request())

    def _conclude(self) -> Any:
        return CONCLUSIONS[self.procedure](self.office.installation, self.procedure_id)

    def _decide(self, step_id: str, *, again: bool) -> Any:
        nip, decision, fields = REFUSALS.get((self.procedure, step_id), DECISIONS[step_id])
        # Every code counts once: each decision, and each repetition of one, has a half minute of its own.
        position = ACTIONS[self.kind].index(f"decide {step_id}") + (100 if again else 0)
        self.office.clock = datetime.now(UTC) + timedelta(minutes=position)
        code = self._receipt_code() if step_id == "restore.8" else {}
        return self.office.decide(step_id, self.procedure_id, nip, decision, **fields, **code)

    def _receipt_code(self) -> dict[str, str]:
        """The code of the last notice, which is the one that a requester would type; his device's, if none came."""
        notices = self.office.root / "notices.txt"
        text = notices.read_text() if notices.exists() else ""
        codes = re.findall(r"Kode tanda terima \(sekali pakai\): (\w+)", text)
        return {"code": codes[-1]} if codes else {}
