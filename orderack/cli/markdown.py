"""Words as they stand in Markdown: in a table, or beside tags that they are none of."""


def in_a_cell(words: str) -> str:
    """One line of a table's cell."""
    return escaped(" ".join(words.split()).replace("|", "\\|"))


def escaped(words: str) -> str:
    """With `<` as a character and not as a tag, but in code, where it is one already."""
    parts = words.split("`")
    return "`".join(part if place % 2 else part.replace("<", "\\<") for place, part in enumerate(parts))
