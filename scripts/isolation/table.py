"""Reading a table of a TOML file key by key; it notes each error with its place and goes on."""
import difflib
import json
from typing import Any

from .units import time_parse


class Table:
    """One table. A key that nobody has read before done() is unknown."""

    def __init__(self, place: str, data: dict[str, Any], problems: list[str]):
        self.place, self.data, self.problems = place, data, problems
        self.known: list[str] = []

    def problem(self, key: str, what: str) -> None:
        place = f"{self.place}.{key}" if self.place and key else self.place or key
        self.problems.append(f"{place}: {what}")

    def has(self, key: str) -> bool:
        self.known.append(key)
        return key in self.data

    def value(self, key: str, kind: type | tuple[type, ...], what: str, default: Any) -> Any:
        """The value of a key, if it is of that kind; None is a default that must be replaced."""
        if not self.has(key):
            if default is None:
                self.problem(key, f"is missing; it is {what}")
            return default
        value = self.data[key]
        if not isinstance(value, kind) or isinstance(value, bool) and kind is not bool:
            self.problem(key, f"is {what}, not {written(value)}")
            return default
        return value

    def text(self, key: str, default: str | None = None, what: str = "a string") -> str:
        return self.value(key, str, what, default) or ""

    def flag(self, key: str, default: bool) -> bool:
        return self.value(key, bool, "true or false", default)

    def number(self, key: str, low: int, high: int, default: int | None = None) -> int:
        what = f"a whole number, {low} to {high}"
        value = self.value(key, int, what, default)
        if value is not None and key in self.data and not low <= value <= high:
            self.problem(key, f"is {what}, not {value}")
            value = default
        return low if value is None else value

    def time(self, key: str, default: str | None = None, at_least: float = 0.0) -> float:
        what = 'a time such as "500ms" or "5s"'
        value = self.value(key, str, what, default)
        seconds = time_parse(value) if value is not None else at_least
        if seconds is None:
            self.problem(key, f"is {what}, not {written(value)}")
            seconds = at_least
        elif seconds < at_least:
            self.problem(key, f"is at least {at_least:g}s")
        return seconds

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        what = "one of " + ", ".join(choices)
        value = self.value(key, str, what, default)
        if value not in choices:
            self.problem(key, f"is {what}, not {written(value)}{suggestion(value, choices)}")
            return default
        return value

    def table(self, key: str) -> "Table":
        """A nested table, empty if there is none."""
        place = f"{self.place}.{key}" if self.place else key
        return Table(place, self.value(key, dict, "a table", {}), self.problems)

    def tables(self, key: str) -> list["Table"]:
        """An array of tables, as [[key]] makes it."""
        rows = self.value(key, list, f"an array of tables, [[{key}]]", [])
        if not all(isinstance(row, dict) for row in rows):
            self.problem(key, f"is an array of tables, [[{key}]]")
            return []
        return [Table(f"{key}[{n}]", row, self.problems) for n, row in enumerate(rows, 1)]

    def done(self) -> None:
        for key in self.data:
            if key not in self.known:
                self.problem(key, f"is unknown{suggestion(key, self.known)}")


def written(value: Any) -> str:
    """The value, roughly as in the file."""
    return json.dumps(value, ensure_ascii=False, default=str)


def suggestion(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""
