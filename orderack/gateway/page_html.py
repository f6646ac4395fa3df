"""The page as HTML: one template, one style sheet in the store's colour, and the policy that allows no other."""

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from orderack.domain.store import StoreProfile
from orderack.gateway.page_style import style_for
from orderack.gateway.page_view import PageView
from orderack.messages.brand import store_view
from orderack.messages.labels import fill
from orderack.messages.page_labels import PageLabels

_TEMPLATES = Environment(
    loader=PackageLoader("orderack.gateway"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["fill"] = fill
_PLAIN = store_view(StoreProfile(id="none", display_name="")).brand


def order_html(view: PageView, code: int) -> HTMLResponse:
    return _html("order.html", view.store.brand, code, v=view, w=view.w, labels=view.labels)


def gone_html(words: PageLabels, language: str) -> HTMLResponse:
    """Says nothing of any order or store."""
    return _html("gone.html", _PLAIN, 404, w=words, language=language)


def _html(template: str, brand: str, code: int, **known: object) -> HTMLResponse:
    style = style_for(brand)
    text = _TEMPLATES.get_template(template).render(css=style.css, **known)
    return HTMLResponse(text, code, {"Content-Security-Policy": style.policy})
