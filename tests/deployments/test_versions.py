"""Bounds that pip does not know of: with later versions the server breaks, one of them silently."""

from importlib.metadata import version

from packaging.version import Version


def test_fastapi_is_one_with_which_the_prefect_server_can_be_imported() -> None:
    assert Version("0.139") <= Version(version("fastapi")) < Version("0.151")


def test_sqlalchemy_is_one_with_which_prefect_creates_scheduled_runs() -> None:
    assert Version("2.0") <= Version(version("sqlalchemy")) < Version("2.1")


def test_prefect_is_the_release_on_which_everything_was_measured() -> None:
    assert version("prefect") == "3.8.8"
