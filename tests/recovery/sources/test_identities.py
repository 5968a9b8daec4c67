"""What tells sources apart, where releases and servers do not all say the same of themselves."""

from types import SimpleNamespace
from typing import Any

import pytest

from recovery.canonical import digest
from recovery.errors import ApprovalError, ConfigurationError
from recovery.hosts.program_mariadb_swap import server_uid
from recovery.procedures.restore.go_ahead import require_approved_target
from recovery.sources.identities import differences, is_approved, is_same_server
from recovery.sources.scratch_server import ScratchServer
from tests.recovery.sources.mariadb_databases import make_database
from tests.testbed.mariadb import MariaDBServer

# What a release before recorded of a server, and what is recorded of older servers still; and the same by now.
SYSTEM = '["basis-data", "/var/lib/mysql/", "1", "3306"]'
EARLIER = {"machine": "f00d", "kind": "mariadb", "system": SYSTEM, "database": "simpel"}
LIVE = {**EARLIER, "server_uid": "fXdYp7ZWAMMBm0PUMZFJoAcM0o0="}
# Another machine that was made of the same image.
TWIN = {**EARLIER, "server_uid": "1Bb7BTmhhzbcWNFZ2aUIPOcnM2w="}


def test_servers_of_one_image_are_told_apart_by_their_network_cards_alone() -> None:
    assert is_same_server(LIVE, dict(LIVE))
    assert not is_same_server(LIVE, TWIN)
    assert not is_same_server(EARLIER, {**EARLIER, "system": "another"})
    assert not is_approved(digest(LIVE), TWIN)
    assert differences(LIVE, TWIN) == {
        "server_uid": {"backup": LIVE["server_uid"], "target": TWIN["server_uid"]},
    }


def test_what_was_recorded_before_servers_were_told_apart_so_is_still_of_this_server() -> None:
    """A backup of then is not of something else, and a restore that was approved then goes on."""
    assert differences(EARLIER, LIVE) == differences(LIVE, EARLIER) == {}
    assert is_approved(digest(EARLIER), LIVE)
    assert is_same_server(EARLIER, LIVE)
    assert not is_approved(digest({**EARLIER, "database": "lain"}), LIVE)
    # What is gone or new beside it counts as ever.
    assert differences({"path": "/a", **EARLIER}, LIVE) == {"path": {"backup": "/a", "target": ""}}


def test_a_restore_that_was_approved_before_that_goes_on_and_one_of_a_twin_does_not() -> None:
    """A faked installation, which is asked for the live identity alone."""
    installation = SimpleNamespace(source=lambda _component: SimpleNamespace(identify=lambda: LIVE))
    plan = SimpleNamespace(backups={"simpel/data": {"target": digest(EARLIER)}})
    require_approved_target(installation, plan, "simpel/data")  # type: ignore[arg-type]
    plan.backups["simpel/data"]["target"] = digest(TWIN)
    with pytest.raises(ApprovalError, match="simpel/data is not the target that was approved"):
        require_approved_target(installation, plan, "simpel/data")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "said"), [([["server_uid", "fXdY="]], "fXdY="), ([["server_uid", "unknown"]], ""), ([], "")]
)
def test_an_older_server_or_one_without_a_network_card_says_nothing_of_itself(rows: Any, said: str) -> None:
    """A faked session: no server of such a release, and no machine without a card, is at hand."""
    assert server_uid(SimpleNamespace(run=lambda _statement: rows)) == said  # type: ignore[arg-type]


def test_a_twin_of_the_live_server_is_fit_for_proofs_and_the_live_server_is_not(
    mariadb: MariaDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin is faked: it is the same server, of which the component is told another uid."""
    source = make_database(mariadb)
    (said,) = mariadb.rows("SHOW GLOBAL VARIABLES LIKE 'server_uid'")
    assert source.identify()["server_uid"] == said[1]
    source.scratch_server = ScratchServer(source.server, source.port, source.account)
    with pytest.raises(ConfigurationError, match="is the server of the live database"):
        source.on_scratch_server("").require_fit()
    call = source._call

    def twin(verb: str, *arguments: str, **options: Any) -> dict[str, Any]:
        return {**call(verb, *arguments, **options), "server_uid": TWIN["server_uid"]}

    monkeypatch.setattr(source, "_call", twin)
    assert source.on_scratch_server("").require_fit()["server_uid"] == said[1]
    assert source.identify()["server_uid"] == TWIN["server_uid"]
