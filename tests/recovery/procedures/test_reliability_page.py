"""The page about the sweep says what was played, and the committed one is of a whole sweep."""

from pathlib import Path

from tests.recovery.killed_work import Played
from tests.recovery.procedures.faults import INTERFACES
from tests.recovery.procedures.playing import ACTIONS, KINDS
from tests.recovery.procedures.reliability_page import TITLES, Swept, write_page
from tests.recovery.procedures.sweep import Seen, cases_of
from tests.recovery.procedures.sweeper import told
from tests.recovery.works import WORKS

PAGE = Path(__file__).parents[3] / "docs" / "reliability.md"


def test_the_page_counts_what_was_played_and_names_what_was_found(tmp_path: Path) -> None:
    """One point and one call of each interface in every action."""
    reached = {"point": ["one"], **{interface: ["call"] for interface in INTERFACES}}
    seen: Seen = {name: dict.fromkeys(actions, reached) for name, actions in ACTIONS.items()}
    played = cases_of(seen)
    finding = told(next(case for case in played if case.where == "store"), seen, "the house burns")
    works = [
        Played("drill", ["one", "two"], {"finish": 2, "anew": 1}, []),
        Played("rebuild", ["one"], {"finish": 1}, []),
    ]
    write_page(tmp_path / "page.md", Swept(seen, played, [finding], minutes=3, workers=2, cores=2, works=works))
    page = (tmp_path / "page.md").read_text()
    # 14 actions; steps 4 to 6 twice more; an error of each kind at each point.
    assert "| restore | 14 | 14 | 14 | 3 | 3 | 28 | 0 |" in page
    actions = sum(map(len, ACTIONS.values()))
    assert f"| catalog | {actions} | {actions} | {actions} | 0 |" in page
    assert f"| store | {actions} | {actions} | {actions} | 1 |" in page
    assert f"**1 findings, listed below.** {len(played) + 4} cases" in page
    assert "| drill | 2 | 2 | 1 | 0 |\n| rebuild | 1 | 1 | 0 | 0 |" in page
    assert f"\n- {finding}\n" in page


def test_the_committed_page_is_of_a_whole_sweep_in_which_nothing_was_found() -> None:
    """Whoever reads it relies on that."""
    page = PAGE.read_text()
    assert "**Nothing was found.**" in page
    assert set(TITLES) == set(KINDS)
    for name in (*TITLES.values(), *INTERFACES, *(work.title for work in WORKS)):
        (row,) = (line for line in page.splitlines() if line.startswith(f"| {name} |"))
        assert "0" == row.split(" | ")[-1].removesuffix(" |")
