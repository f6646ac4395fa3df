"""The HTML of a mail: its tables as rows, and its words without tags."""

from html.parser import HTMLParser

MOST_ROWS = 2_000
_UNSEEN = frozenset({"style", "script", "head", "title", "template"})
_BLOCKS = frozenset(
    {"p", "div", "br", "li", "ul", "ol", "h1", "h2", "h3", "h4", "table", "tr", "blockquote", "hr", "address"}
)
_QUOTES = ("gmail_quote", "moz-cite-prefix", "divrplyfwdmsg", "appendonsend", "yahoo_quoted")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self.words: list[str] = []
        self._open: list[int] = []
        """Indices of the tables that are open: layouts nest them."""
        self._unseen = 0
        self.quoted = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        marks = " ".join(value or "" for name, value in attrs if name in ("class", "id")).lower()
        if tag == "blockquote" or any(mark in marks for mark in _QUOTES):
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

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN and self._unseen:
            self._unseen -= 1
        if tag in _BLOCKS:
            self.words.append("\n")
        if tag == "table" and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
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
    try:
        reader.feed(markup)
        reader.close()
    except Exception:  # marked-up sections that the parser of the standard library asserts on
        reader.quoted = True
    lines = "".join(reader.words).split("\n")
    tables = [[[" ".join(cell.split()) for cell in row] for row in table if row] for table in reader.tables]
    return "\n".join(line.strip() for line in lines), [table for table in tables if table]
