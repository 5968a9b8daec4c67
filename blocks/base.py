"""What all block types share: the fields of a settings model, Indonesian labels, and the way back to plain settings."""

from typing import Any, ClassVar, Self

from prefect.blocks.core import Block
from pydantic import ConfigDict, HttpUrl

from blocks.labels import LABELS
from recovery.settings import Settings


class SettingsBlock(Block):
    """Base of the block types: subclassed together with the settings model whose fields it shows.

    Blocks hold references to secrets and never secrets: every client of Prefect's API can read them.
    """

    # Prefect adds bookkeeping keys to what it stores; they are no settings. `plain` is strict again.
    model_config = ConfigDict(extra="ignore")

    settings_type: ClassVar[type[Settings]] = Settings
    _documentation_url = HttpUrl("https://docs.prefect.io/v3/concepts/blocks")

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Given settings, return the block that holds them."""
        return cls.model_validate(settings.model_dump(mode="json"))

    def plain(self) -> Any:
        """Return the settings that the block holds, validated as strictly as the inventory's."""
        fields = self.model_dump(include=set(self.settings_type.model_fields))
        return self.settings_type.model_validate(
            {name: value for name, value in fields.items() if name in self.settings_type.model_fields}
        )

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the schema from which Prefect's UI draws the form, with labels that officials understand."""
        schema = super().model_json_schema(*args, **kwargs)
        definitions = schema.get("definitions", {}) | schema.get("$defs", {})
        for model, part in [(cls.settings_type.__name__, schema), *definitions.items()]:
            for field, label in LABELS.get(model, {}).items():
                part["properties"][field]["title"] = label
        return schema
