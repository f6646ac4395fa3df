"""The HTML of a mail: its tables as rows, and its words without tags.

Not by the standard library's parser: what is unclosed makes its time grow with the square of the mail's length.
"""

import html
import re
from collections.abc import Iterator

MOST_ROWS = 2_000
_TOKEN = re.compile(
    r"<(?P<close>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]{0,20})(?P<rest>[^<>]{0,4000})>|<[!?/][^<>]{0,4000}>|[^<]+|<"
)
_RAW = frozenset({"style", "script"})
"""Elements whose content is no markup."""
_UNSEEN = frozenset({"style", "script", "head", "title", "template"})
_BLOCKS = frozenset(
    {"p", "div", "br", "li", "ul", "ol", "h1", "h2", "h3", "h4", "table", "tr", "blockquote", "hr", "address"}
)
_QUOTES = ("gmail_quote", "moz-cite-prefix", "divrplyfwdmsg", "appendonsend", "yahoo_quoted")


class _Reader:
    def __init__(self) -> None:
        self.tables: list[list[list[str]]] = []
        self.words: list[str] = []
        self._open: list[int] = []
        """Indices of the tables that are open: layouts nest them."""
        self._unseen = 0
        self.quoted = False

    def begins(self, tag: str, attributes: str) -> None:
        self._unseen += tag in _UNSEEN
        if tag == "blockquote" or any(mark in attributes.lower() for mark in _QUOTES):
            self.quoted = True
        if tag in _BLOCKS:
            self.words.append("\n")
        if self.quoted:
            return
        if tag == "table":
            self.tables.append([])
            self._open.append(len(self.tables) - 1)
        elif tag == "tr" and self._open and len(self._rows()) < MOST_ROWS:
            self._rows().append([])
        elif tag in ("td", "th"):
            self.words.append("  ")
            if self._open and self._rows() and len(self._rows()[-1]) < 60:
                self._rows()[-1].append("")

    def ends(self, tag: str) -> None:
        if tag in _UNSEEN and self._unseen:
            self._unseen -= 1
        if tag in _BLOCKS:
            self.words.append("\n")
        if tag == "table" and self._open:
            self._open.pop()

    def says(self, data: str) -> None:
        if self._unseen or self.quoted:
            return
        self.words.append(" ".join(data.split()) + (" " if data[-1:].isspace() else ""))
        if self._open and self._rows() and self._rows()[-1]:
            self._rows()[-1][-1] += f" {data}"

    def _rows(self) -> list[list[str]]:
        return self.tables[self._open[-1]]


def read_html(markup: str) -> tuple[str, list[list[list[str]]]]:
    """(its words above what it quotes, its tables)."""
    reader = _Reader()
    for token in _tokens(_without_comments(markup)):
        if not token["tag"]:
            if not token[0].startswith("<"):
                reader.says(html.unescape(token[0]))
        elif token["close"]:
            reader.ends(token["tag"].lower())
        else:
            reader.begins(token["tag"].lower(), token["rest"])
    lines = "".join(reader.words).split("\n")
    tables = [[[" ".join(cell.split()) for cell in row] for row in table if row] for table in reader.tables]
    return "\n".join(line.strip() for line in lines), [table for table in tables if table]


def _without_comments(markup: str) -> str:
    """What is behind a comment that never ends no reader sees."""
    parts, place = [], 0
    while (begins := markup.find("<!--", place)) >= 0:
        parts.append(markup[place:begins])
        ends = markup.find("-->", begins + 4)
        if ends < 0:
            return "".join(parts)
        place = ends + 3
    return "".join((*parts, markup[place:]))


def _tokens(markup: str) -> Iterator[re.Match[str]]:
    place = 0
    while (token := _TOKEN.match(markup, place)) is not None:
        place = token.end()
        yield token
        tag = (token["tag"] or "").lower()
        if tag in _RAW and not token["close"] and not token["rest"].endswith("/"):
            behind = re.compile(rf"</{tag}", re.IGNORECASE).search(markup, place)
            place = behind.start() if behind else len(markup)
