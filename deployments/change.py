"""A change that `pulih apply` is about to make, and how two states of a thing are compared."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Action = Literal["create", "change", "remove", "leave"]
SIGNS: dict[str, str] = {"create": "+", "change": "~", "remove": "-", "leave": "="}


@dataclass(frozen=True)
class Change:
    """One thing that will be created, changed, removed or knowingly left; `perform` does it."""

    kind: str
    name: str
    action: Action
    details: tuple[str, ...] = ()
    perform: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)

    def __str__(self) -> str:
        return "\n".join([f"{SIGNS[self.action]} {self.kind} {self.name}", *(f"    {line}" for line in self.details)])


def differences(old: Any, new: Any, path: str = "") -> tuple[str, ...]:
    """Given two JSON-plain values, return one line per place in which they differ, as in `cron: "old" → "new"`."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*new, *(key for key in old if key not in new)]
        return tuple(
            line
            for key in keys
            for line in differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
        )
    if isinstance(old, list) and isinstance(new, list) and _all_plain(old) and _all_plain(new):
        added = [f"+ {_show(value)}" for value in new if value not in old]
        removed = [f"- {_show(value)}" for value in old if value not in new]
        if added or removed:
            return (f"{path}: {', '.join(added + removed)}",)
    if isinstance(old, list) and isinstance(new, list) and _all_named(old) and _all_named(new):
        lines = differences(_by_name(old), _by_name(new), path)
        return lines or (() if old == new else (f"{path}: the order changed",))
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return tuple(
            line
            for index, (one, other) in enumerate(zip(old, new, strict=True))
            for line in differences(one, other, f"{path}[{index}]")
        )
    return () if old == new else (f"{path}: {_show(old)} → {_show(new)}",)


def _all_plain(values: list[Any]) -> bool:
    return not any(isinstance(value, dict | list) for value in values)


def _all_named(values: list[Any]) -> bool:
    names = [value.get("name") for value in values if isinstance(value, dict)]
    return len(names) == len(values) == len(set(names)) and None not in names


def _by_name(values: list[Any]) -> dict[str, Any]:
    return {value["name"]: value for value in values}


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:157]}…"
