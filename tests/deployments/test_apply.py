"""Applying an inventory to a real Prefect server, a real catalog and real stores."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.installation import forget_installation, load_installation
from deployments.apply import apply
from deployments.change import Change
from recovery.errors import ConfigurationError, HostError

if TYPE_CHECKING:
    from deployments.server import LocalServer
    from tests.deployments.conftest import MakeInventory

pytestmark = pytest.mark.slow


def _summary(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in changes]


def test_a_dry_run_makes_no_change_and_applying_again_finishes_what_was_begun(
    bare_server: "LocalServer",
    api: Callable[..., Any],
    make_inventory: "MakeInventory",
    small_release: Path,
    tmp_path: Path,
) -> None:
    """The first change cannot be made; one in the middle is made, and the answer is lost; then the last one cannot."""
    inventory = make_inventory()
    shown: list[Change] = []
    dry = apply(inventory, release=small_release, dry_run=True, before=shown.extend)
    assert shown == dry
    assert api("POST", "/deployments/filter", {}) == []
    assert not (tmp_path / "keadaan").exists()
    assert list((tmp_path / "utama").rglob("RESTORE.md")) == []
    left = _summary(dry)

    def ends_at(number: int, *, made: bool) -> Callable[[list[Change]], None]:
        def before(changes: list[Change]) -> None:
            assert left == _summary(changes)
            assert len(changes) < len(dry) or changes == dry
            perform = changes[number].perform

            def end() -> None:
                if made:
                    perform()
                raise httpx.ReadError("")

            changes[number] = replace(changes[number], perform=end)

        return before

    for number, made in ((0, False), (len(left) // 2, True), (-1, False)):
        with pytest.raises(HostError, match=r"does not answer \(ReadError\); what was done before it stays"):
            apply(inventory, release=small_release, before=ends_at(number, made=made))
        left = left[number + made :]
    assert 1 == len(left)
    assert left == _summary(apply(inventory, release=small_release))
    assert apply(inventory, release=small_release) == []


def test_changes_are_shown_before_anything_is_done_and_can_be_refused(
    bare_server: "LocalServer",
    api: Callable[..., Any],
    make_inventory: "MakeInventory",
    small_release: Path,
    tmp_path: Path,
) -> None:
    def refuse(changes: list[Change]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(make_inventory(), release=small_release, before=refuse)
    assert api("POST", "/deployments/filter", {}) == []
    assert not (tmp_path / "keadaan").exists()


def test_a_server_without_blocks_is_named(bare_server: "LocalServer") -> None:
    forget_installation()
    with pytest.raises(ConfigurationError, match="the Prefect server has no block 'Pulih Instansi' / 'pulih'"):
        load_installation()


def test_a_flow_that_cannot_be_loaded_stops_apply_before_anything_is_changed(
    bare_server: "LocalServer",
    api: Callable[..., Any],
    make_inventory: "MakeInventory",
    small_release: Path,
    tmp_path: Path,
) -> None:
    (small_release / "flows" / "restore.py").write_text("import tidak_ada\n")
    with pytest.raises(
        ConfigurationError, match=r"the flow flows/restore.py:restore cannot be loaded from .*tidak_ada"
    ):
        apply(make_inventory(), release=small_release)
    assert api("POST", "/deployments/filter", {}) == []
    assert not (tmp_path / "keadaan").exists()


def test_without_a_server_apply_does_not_start_one_of_its_own(make_inventory: "MakeInventory") -> None:
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(ConfigurationError, match="no Prefect server is configured; nothing was changed"),
    ):
        apply(make_inventory())


def test_a_server_that_does_not_answer_is_reported(make_inventory: "MakeInventory", small_release: Path) -> None:
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(HostError, match=r"the Prefect server at http://127.0.0.1:9/api does not answer"),
    ):
        apply(make_inventory(), release=small_release, dry_run=True)
