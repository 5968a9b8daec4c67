"""Names of backups: made from a pattern, read back as what they were made from, or refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.errors import ConfigurationError
from recovery.naming import LONGEST, check_pattern, moment_of, parse_name, render_name
from recovery.settings import OfficeSettings

DEFAULT = "{application}_{component}_full_{moment}"
MOMENT = datetime(2026, 11, 20, 15, 0, 3, tzinfo=UTC)

slugs = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True)
literals = st.text("_.-+af0", max_size=4)
moments = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants the bounds naive
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC) | st.just(timezone(timedelta(hours=9))),
)


def test_the_default_pattern_gives_the_name_of_the_procedure() -> None:
    name = render_name(DEFAULT, application="simpel", component="basis-data", moment=MOMENT)
    assert name == "simpel_basis-data_full_20261120t220003+0700"
    assert parse_name(DEFAULT, name) == {
        "application": "simpel",
        "component": "basis-data",
        "moment": "20261120t220003+0700",
    }
    assert moment_of("20261120t220003+0700") == MOMENT
    assert OfficeSettings.model_fields["backup_name"].default == DEFAULT


@given(slugs, slugs, moments)
def test_every_name_of_the_default_pattern_reads_back(application: str, component: str, moment: datetime) -> None:
    name = render_name(DEFAULT, application=application, component=component, moment=moment)
    assert name == name.lower()
    assert name.isascii()
    read = parse_name(DEFAULT, name)
    assert (read["application"], read["component"]) == (application, component)
    assert moment_of(read["moment"]) == moment.replace(microsecond=0)


@given(
    st.permutations(["{application}", "{component}", "{moment}"]),
    st.lists(literals, min_size=4, max_size=4),
    st.tuples(slugs, slugs, slugs, slugs),
    moments,
)
def test_a_pattern_either_tells_any_two_backups_apart_or_is_refused(
    fields: list[str], between: list[str], words: tuple[str, str, str, str], moment: datetime
) -> None:
    pattern = between[0] + "".join(field + literal for field, literal in zip(fields, between[1:], strict=True))
    try:
        check_pattern(pattern)
    except ConfigurationError:
        return
    first = render_name(pattern, application=words[0], component=words[1], moment=moment)
    second = render_name(pattern, application=words[2], component=words[3], moment=moment)
    assert parse_name(pattern, first)["application"] == words[0]
    assert (first == second) == (words[:2] == words[2:])


@given(st.text(), st.text())
def test_anything_else_is_refused_and_never_another_error(pattern: str, name: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_name(pattern, name)
    with pytest.raises(ConfigurationError):
        parse_name(DEFAULT, name)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("{application}{component}_{moment}", "needs _ or . between {application} and {component}"),
        ("{application}-{component}_{moment}", "needs _ or . between {application} and {component}"),
        ("{application}_{component}-full-{moment}", "needs _ or . between {component} and {moment}"),
        ("{application}_{moment}", "must hold {application}, {component} and {moment}, each once"),
        ("{application}_{component}_{component}_{moment}", "must hold {application}, {component} and {moment}"),
        ("", "must hold {application}, {component} and {moment}, each once"),
        ("{application}_{component}_FULL_{moment}", "may hold only lower-case letters"),
        ("{application}_{component}/{moment}", "may hold only lower-case letters"),
        ("{application}_{component}_cadangan é_{moment}", "may hold only lower-case letters"),
        ("../{application}_{component}_{moment}", "may hold only lower-case letters"),
        (".{application}_{component}_{moment}", "must not begin with . or -"),
        ("-{application}_{component}_{moment}", "must not begin with . or -"),
        ("{application}_{component}_{moment}_{year}", "may hold only the fields"),
        ("{application!r}_{component}_{moment}", "may hold only the fields"),
        ("{application:>9}_{component}_{moment}", "may hold only the fields"),
        ("{application.__class__}_{component}_{moment}", "may hold only the fields"),
        ("{application_{component}_{moment}", "cannot be read"),
    ],
)
def test_an_unfit_pattern_is_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_pattern(pattern)
    assert caught.value.message.startswith(f"the pattern of names {pattern!r} {why}")
    assert caught.value.hint == "write for example {application}_{component}_full_{moment}"


@pytest.mark.parametrize(
    ("application", "component"),
    [
        ("Simpel", "data"),
        ("sim_pel", "data"),
        ("", "data"),
        ("simpel", "-data"),
        ("simpel", "data\n"),
        ("a" * 200, "b"),
    ],
)
def test_a_word_that_settings_would_not_allow_gives_no_name(application: str, component: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name of the pattern"):
        render_name(DEFAULT, application=application, component=component, moment=MOMENT)


def test_a_moment_without_a_time_zone_gives_no_name() -> None:
    with pytest.raises(ConfigurationError, match="the moment 2026-11-20T15:00:03 has no time zone; no name was given"):
        render_name(DEFAULT, application="a", component="b", moment=MOMENT.replace(tzinfo=None))


@pytest.mark.parametrize(
    "moment",
    ["20261320t220003+0700", "20260230t220003+0700", "20261120t250003+0700", "20261120t220003-0000"],
)
def test_a_name_with_a_moment_that_does_not_exist_is_refused(moment: str) -> None:
    with pytest.raises(ConfigurationError, match="in a name is no moment"):
        parse_name(DEFAULT, f"simpel_data_full_{moment}")


def test_a_name_longer_than_file_systems_allow_is_refused() -> None:
    name = render_name(DEFAULT, application="a" * 60, component="b" * 60, moment=MOMENT)
    assert len(name) < LONGEST
    with pytest.raises(ConfigurationError, match="is no name of the pattern"):
        parse_name(DEFAULT, name.replace("a_", "a" * 100 + "_"))
