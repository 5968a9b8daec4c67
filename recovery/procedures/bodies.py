"""Every step's body by its id in the register: what tests and tools without Prefect perform."""

from collections.abc import Callable

from recovery.procedures.backup import b1_back_up, b2_verify, b3_name, b4_secure, b5_fill_in_form, b6_review
from recovery.procedures.restore import (
    r1_request,
    r2_dispose,
    r3_verify_authority,
    r4_stop_service,
    r5_restore_data,
    r6_start_service,
    r7_inform,
    r8_acknowledge,
)
from recovery.records.steps import StepResult

_BODIES: dict[str, Callable[..., StepResult]] = {
    "backup.1": b1_back_up.back_up,
    "backup.2": b2_verify.verify,
    "backup.3": b3_name.name,
    "backup.4": b4_secure.secure,
    "backup.5": b5_fill_in_form.fill_in_form,
    "backup.6": b6_review.review,
    "restore.1": r1_request.request,
    "restore.2": r2_dispose.dispose,
    "restore.3": r3_verify_authority.verify_authority,
    "restore.4": r4_stop_service.stop_service,
    "restore.5": r5_restore_data.restore_data,
    "restore.6": r6_start_service.start_service,
    "restore.7": r7_inform.inform,
    "restore.8": r8_acknowledge.acknowledge,
}


def body_of(step_id: str) -> Callable[..., StepResult]:
    """Given a step's id, return its body: (installation, procedure_id[, component]) → StepResult."""
    return _BODIES[step_id]
