"""What is wrong with a store's rules for the buyer's page: addresses that must not become links."""

from collections.abc import Iterator

from orderack.domain.problem import Problem
from orderack.domain.store import PageRules
from orderack.domain.web_address import web_address

_REMEDY = "write an http or https address such as https://pay.example/{number}"


def page_problems(path: str, rules: PageRules) -> Iterator[Problem]:
    """Every address of these rules that is not a plain web address; `path` is where the rules stand."""
    if rules.pay_url is not None:
        filled = rules.pay_url.replace("{number}", "1")
        if not web_address(filled):
            yield Problem(field=f"{path}.pay_url", problem="is not a web address", remedy=_REMEDY)
        elif "{" in filled or "}" in filled:
            problem = "holds a placeholder other than {number}"
            yield Problem(field=f"{path}.pay_url", problem=problem, remedy=_REMEDY)
    for index, offer in enumerate(rules.offers):
        if not web_address(offer.url):
            remedy = "write an http or https address"
            yield Problem(field=f"{path}.offers[{index}].url", problem="is not a web address", remedy=remedy)
        if not offer.title.strip():
            yield Problem(field=f"{path}.offers[{index}].title", problem="is empty", remedy="say what is offered")
