"""The report as one page that needs nothing else: no script, no picture, no address but this file's own."""

from functools import cache

from jinja2 import Environment, StrictUndefined, Template

from orderack.diagnostics.shadow.gate import Answer
from orderack.diagnostics.shadow.report import TITLES, Report

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Shadow run of {{ report.store }}</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #8888; }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
.verdict { border-left: .4rem solid #b3261e; padding: .2rem 1rem; }
.verdict.yes { border-color: #1b7f3b; }
code { font-size: .9em; }
</style>
</head>
<body>
<main>
<h1>Shadow run of {{ report.store }}</h1>
<p>As of {{ moment(report.at) }}{% if report.since %}, of orders since {{ moment(report.since) }}{% endif %}.
Orders younger than {{ minutes(report.terms.settle) }} are not compared;
messages further apart than {{ minutes(report.terms.budget) }} are later or earlier.</p>
<div class="verdict{{ ' yes' if answer.allowed }}">
<h2>{{ "The store may go live" if answer.allowed else "The store may not go live yet" }}</h2>
{% if answer.reasons %}<ul>{% for reason in answer.reasons %}<li>{{ reason }}</li>{% endfor %}</ul>{% endif %}
</div>
<h2>Figures</h2>
<div class="wide"><table>
<caption>Orders</caption>
<tbody>
{% for name, value in orders %}<tr><th scope="row">{{ name }}</th><td class="figure">{{ value }}</td></tr>
{% endfor %}</tbody></table></div>
<div class="wide"><table>
<caption>From the order to each message, in seconds</caption>
<thead><tr><th scope="col">message</th><th scope="col" class="figure">ours</th><th scope="col" class="figure">p50</th>
<th scope="col" class="figure">p95</th>
<th scope="col" class="figure">old flow</th><th scope="col" class="figure">p50</th>
<th scope="col" class="figure">p95</th></tr></thead>
<tbody>
{% for timing in report.timing %}<tr><th scope="row">{{ word(timing.message) }}</th>
{% for side in (timing.ours, timing.old) %}<td class="figure">{{ side.orders }}</td>
<td class="figure">{{ seconds(side.p50) }}</td><td class="figure">{{ seconds(side.p95) }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
<h2>Discrepancies: {{ report.discrepancies|length }}, {{ report.open|length }} open</h2>
{% if report.discrepancies %}<div class="wide"><table>
<caption>What the two flows did differently</caption>
<thead><tr>{% for name in ("id", "order", "what", "message", "ours", "old flow", "how to resolve", "verdict") -%}
<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for found in report.discrepancies %}<tr><td><code>{{ found.id }}</code></td><td>{{ found.order or "the store" }}</td>
<td>{{ titles[found.kind] }}</td><td>{{ word(found.message) if found.message }}</td><td>{{ found.ours }}</td>
<td>{{ found.old }}</td><td>{{ found.resolve }}</td>
<td>{% if found.verdict %}{{ found.verdict.verdict }} by {{ found.verdict.by }}, {{ moment(found.verdict.at) -}}
{% if found.verdict.note %}: {{ found.verdict.note }}{% endif %}{% else %}open{% endif %}</td></tr>
{% endfor %}</tbody></table></div>{% endif %}
</main>
</body>
</html>
"""


def page(report: Report, answer: Answer) -> str:
    """The whole page; whatever stands in an order's number or a note is text in it."""
    orders = (
        ("compared", report.orders),
        ("alike in everything", f"{report.alike} ({share(report)})"),
        ("too young to be compared", report.young),
        ("live", report.live),
        ("owed a word, and none would have come", report.untold),
        ("confirmed before the ERP's receipt, ours", report.ours_before_receipt),
        ("confirmed before the ERP's receipt, old flow", report.old_before_receipt),
    )
    return _template().render(report=report, answer=answer, orders=orders, titles=TITLES)


def share(report: Report) -> str:
    """How many of the compared orders were alike in everything."""
    return f"{report.alike / report.orders:.1%}" if report.orders else "none"


@cache
def _template() -> Template:
    made = Environment(autoescape=True, undefined=StrictUndefined)
    made.globals.update(
        moment=lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC",
        minutes=lambda span: f"{span.total_seconds():g} s",
        seconds=lambda value: "–" if value is None else f"{value:.1f}",
        word=lambda kind: kind.replace("_", " ") if kind else "first word",
    )
    return made.from_string(_PAGE)
