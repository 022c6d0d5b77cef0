"""Times, numbers and lists, as written in scenarios and reports."""
import re

FACTORS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def time_parse(text: str) -> float | None:
    """Seconds of a time such as 250ms or 1.5s; None if it is not a time."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    return float(match[1]) * FACTORS[match[2]] if match else None


def time_text(seconds: float | None) -> str:
    """A time for people, of about three figures."""
    if seconds is None:
        return "–"
    if seconds < 0.0095:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def count_text(number: float) -> str:
    return f"{number:,.0f}"


def times_text(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count_text(count)} times")


def plural(count: int, noun: str) -> str:
    return f"{count_text(count)} {noun}" + ("" if count == 1 else "s")


def list_text(words: list[str]) -> str:
    """a, b and c"""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
