"""Block types: Prefect's own standard for blocks, the same fields as the settings, and labels for operators."""

from typing import Any

import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites import BlockStandardTestSuite
from pydantic import BaseModel

from blocks.base import SettingsBlock
from blocks.installation import BLOCK_TYPES
from blocks.labels import LABELS
from recovery.settings import ApplicationSettings


@pytest.mark.parametrize("block", BLOCK_TYPES, ids=lambda block: block.__name__)
class TestBlockStandards(BlockStandardTestSuite):
    @pytest.fixture
    def block(self, block: type[Block]) -> type[Block]:
        return block

    @pytest.mark.skip(reason="our blocks have no logo: the suite fetches one from the internet, and so would the UI")
    def test_has_a_valid_image(self, block: type[Block]) -> None:
        pass


@pytest.mark.parametrize("block_type", BLOCK_TYPES)
def test_a_block_has_exactly_the_fields_of_its_settings(block_type: type[SettingsBlock]) -> None:
    expected = {name: (field.annotation, field.is_required()) for name, field in _fields(block_type.settings_type)}
    assert {name: (field.annotation, field.is_required()) for name, field in _fields(block_type)} == expected


@pytest.mark.parametrize("block_type", BLOCK_TYPES)
def test_every_field_has_an_indonesian_label_and_a_described_meaning(block_type: type[SettingsBlock]) -> None:
    schema = block_type.model_json_schema()
    for model, part in [(block_type.settings_type.__name__, schema), *schema.get("definitions", {}).items()]:
        labels = {field: part["properties"][field]["title"] for field in part["properties"]}
        assert LABELS[model] == labels
        assert all(field["description"].endswith(".") for field in part["properties"].values() if "$ref" not in field)


@pytest.mark.parametrize("block_type", BLOCK_TYPES)
def test_no_block_type_has_a_field_for_a_secret(block_type: type[SettingsBlock]) -> None:
    assert block_type.model_json_schema()["secret_fields"] == []


def test_block_types_are_named_in_indonesian_and_keep_their_slugs() -> None:
    expected = {
        "pulih-instansi": "Pulih Instansi",
        "pulih-kunci": "Pulih Kunci",
        "pulih-server": "Pulih Server",
        "pulih-penyimpanan": "Pulih Penyimpanan",
        "pulih-aplikasi": "Pulih Aplikasi",
        "pulih-jadwal": "Pulih Jadwal",
    }
    assert {each.get_block_type_slug(): each.get_block_type_name() for each in BLOCK_TYPES} == expected


def test_settings_survive_the_way_through_a_block() -> None:
    settings = ApplicationSettings.model_validate(
        {
            "name": "simpeg",
            "title": "Kepegawaian",
            "owner_unit": "bkd",
            "owner_unit_title": "Badan Kepegawaian Daerah",
            "host": "aplikasi",
            "services": [{"name": "web", "kind": "command", "start": ["a"], "stop": ["b"], "port": 80}],
            "components": [{"name": "db", "kind": "sqlite", "path": "/srv/simpeg.sqlite"}],
        }
    )
    block_type = next(each for each in BLOCK_TYPES if each.settings_type is ApplicationSettings)
    block: Any = block_type.from_settings(settings)
    assert type(block.open()) is ApplicationSettings
    assert block.open() == settings


def _fields(model: type[BaseModel]) -> list[tuple[str, Any]]:
    return sorted(model.model_fields.items())
