"""All work beside backup and restore that may die at its points."""

from tests.recovery import test_keys, test_keys_rotation, test_rebuild, test_sync
from tests.recovery.procedures import test_drill, test_retention_killed, test_two_stores

WORKS = (
    test_two_stores.WORK,
    test_drill.WORK,
    test_sync.WORK,
    test_retention_killed.WORK,
    test_rebuild.WORK,
    *test_keys_rotation.WORKS,
    test_keys.WORK,
)
