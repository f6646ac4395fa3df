"""A file's bytes as text, and what its bytes say where it is no log at all."""

_BOMS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
_SHEET = ("is a workbook or an archive, not a text", "save the sheet as CSV, or unpack it")
_PACKED = ("is compressed", "unpack it")
_PICTURE = ("is a picture or a document, not a text", "name the log itself")
_STARTS = (
    (b"PK\x03\x04", _SHEET),
    (b"\xd0\xcf\x11\xe0", _SHEET),
    (b"\x1f\x8b", _PACKED),
    (b"BZh", _PACKED),
    (b"\xfd7zXZ", _PACKED),
    (b"\x28\xb5\x2f\xfd", _PACKED),
    (b"\x89PNG", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"GIF8", _PICTURE),
    (b"%PDF", _PICTURE),
)
_LOOKED_AT = 4_000
_ODD = 0.02
"""Share of control characters over which it is no text. A cut log can hold some."""
_HALF = 0.7
"""Share of zero bytes in every second place over which it is UTF-16 that does not say so."""


def no_log(content: bytes) -> tuple[str, str] | None:
    """What the file is, and what to do, where it cannot be a log; None: it may be one."""
    for start, said in _STARTS:
        if content.startswith(start):
            return said
    some = decoded(content[:_LOOKED_AT])[0]
    control = sum(each < " " and each not in "\t\r\n\f" for each in some)
    return (
        ("holds bytes that are no text", "export it as CSV, NDJSON or Parquet") if control > _ODD * len(some) else None
    )


def decoded(content: bytes) -> tuple[str, list[str]]:
    """The text, and what was assumed to read it."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding, "replace"), []
    if wide := _wide(content[:_LOOKED_AT]):
        return content.decode(wide, "replace"), []
    try:
        return content.decode("utf-8"), []
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace"), ["it is not UTF-8; it was read as Windows-1252"]


def _wide(start: bytes) -> str | None:
    """Every second byte of Western text in UTF-16 is zero."""
    pairs = len(start) // 2
    if pairs and start[1::2].count(0) > _HALF * pairs:
        return "utf-16-le"
    if pairs and start[0::2].count(0) > _HALF * pairs:
        return "utf-16-be"
    return None
