"""How reports and commands write a length of time and a number of things: one way, wherever it is read."""


def duration(seconds: float) -> str:
    """`3.2 s`, `4 min 10 s`, `2 h 05 min`."""
    size, sign = abs(seconds), "-" if seconds < 0 else ""
    if size < 10:
        return f"{sign}{size:.1f} s"
    if size < 120:
        return f"{sign}{size:.0f} s"
    minutes, rest = divmod(round(size), 60)
    if minutes < 120:
        return f"{sign}{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours} h {minutes:02d} min" if hours < 72 else f"{sign}{hours / 24:.1f} days"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 event`, `2 events`."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
