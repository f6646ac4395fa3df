"""The report's templates, and how they write figures."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from orderack.diagnostics.weekly import reaching, words
from orderack.diagnostics.wording import counted, duration

TEMPLATES = Environment(
    loader=PackageLoader("orderack.diagnostics.weekly"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {
    "duration": duration,
    "many": counted,
    "percent": words.percent,
    "share": words.share,
    "span": words.span,
    "verdict": words.verdict_word,
    "which": words.which,
}
TEMPLATES.globals |= {
    "reach_columns": reaching.COLUMNS,
    "reach_row": reaching.row,
    "reach_words": reaching.said,
    "suggestions": reaching.suggestions,
    "faults": words.faults,
    "nothing": words.NOTHING,
}
