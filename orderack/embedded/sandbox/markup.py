"""What a reader finds in HTML: the images it loads, the links it can or cannot see, the forms it may send."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html.parser import HTMLParser

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
"""Elements without an end tag (HTML standard §13.1.2)."""

_GONE = frozenset({"display:none", "visibility:hidden", "opacity:0"})
"""Declarations under which nothing within is seen."""
_FLAT = frozenset({"max-height:0", "height:0"})
"""The same, where what flows over is hidden too."""
_WRITTEN = frozenset({"text", "number", "email", "tel", "date", "search", "textarea"})
_CHOSEN = frozenset({"radio", "checkbox"})


@dataclass(frozen=True)
class Link:
    """One `<a href>`. Hidden: no person sees it, by its own style or that of what it stands in."""

    url: str
    hidden: bool = False
    button: bool = False
    """It is drawn as a button: what a mail asks its reader to press."""


@dataclass(frozen=True)
class Field:
    """One control of a form with the value it holds."""

    name: str
    kind: str
    """The input's type, or `textarea`, `option`, `submit`."""
    value: str = ""
    on: bool = True
    """Whether it is sent if nobody touches it: a checked box, the selected option."""

    @property
    def written(self) -> bool:
        """A person types into it."""
        return self.kind in _WRITTEN

    @property
    def picked(self) -> bool:
        """A person picks it among others of its name."""
        return self.kind in _CHOSEN or self.kind == "option"


@dataclass(frozen=True)
class Form:
    """One form, in the order of its controls."""

    action: str
    method: str
    fields: tuple[Field, ...] = ()

    def sent(self, filled: Mapping[str, str]) -> list[tuple[str, str]]:
        """What a browser posts when a person has filled in these fields and pressed the plain button, or the named one.

        Raises ValueError for a field, or a choice, that the form does not show.
        """
        shown = {field.name for field in self.fields}
        if strangers := sorted(set(filled) - shown):
            raise ValueError(f"the form has no {', '.join(strangers)}")
        pairs = [(field.name, _value(field, filled)) for field in self.fields if _goes(field, filled)]
        for name, value in filled.items():
            if (name, value) not in pairs:
                raise ValueError(f"{name} cannot be {value!r}")
        return [*pairs, *self._pressed(filled)]

    def _pressed(self, filled: Mapping[str, str]) -> list[tuple[str, str]]:
        """The button that says nothing of its own, else the first; none where `filled` names one."""
        buttons = [field for field in self.fields if field.kind == "submit"]
        if not buttons or not all(button.name for button in buttons) or filled.keys() & {b.name for b in buttons}:
            return []
        return [(buttons[0].name, buttons[0].value)]


def _goes(field: Field, filled: Mapping[str, str]) -> bool:
    if not field.name or (field.kind == "submit" and field.name not in filled):
        return False
    if field.picked or field.kind == "submit":
        return field.value == filled[field.name] if field.name in filled else field.on
    return True


def _value(field: Field, filled: Mapping[str, str]) -> str:
    return filled.get(field.name, field.value) if field.written else field.value


@dataclass(frozen=True)
class Markup:
    """A message or a page as its reader finds it."""

    images: tuple[str, ...]
    links: tuple[Link, ...]
    forms: tuple[Form, ...]


def read_html(html: str) -> Markup:
    """Never fails: what is broken is read as a browser would, roughly."""
    parser = _Reader()
    parser.feed(html)
    parser.close()
    return Markup(tuple(dict.fromkeys(parser.images)), tuple(dict.fromkeys(parser.links)), tuple(parser.forms))


@dataclass(frozen=True)
class _Element:
    tag: str = ""
    gone: bool = False
    tiny: bool = False


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []
        self.links: list[Link] = []
        self.forms: list[Form] = []
        self._open: list[_Element] = []
        self._select = ""
        self._text: Field | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        around = self._open[-1] if self._open else _Element()
        here = _Element(tag, around.gone or _hides(said), _tiny(said, around.tiny))
        if tag not in _VOID:
            self._open.append(here)
        if tag == "a" and said.get("href", "").startswith(("http://", "https://")):
            self.links.append(Link(said["href"], here.gone or here.tiny, "display:inline-block" in _rules(said)))
        elif tag == "img" and said.get("src"):
            self.images.append(said["src"])
        elif tag == "form":
            self.forms.append(Form(said.get("action", ""), said.get("method", "get").lower()))
        elif self.forms and "form" in {element.tag for element in self._open} and "disabled" not in said:
            self._control(tag, said)

    def _control(self, tag: str, said: Mapping[str, str]) -> None:
        name = said.get("name", "")
        if tag == "input":
            kind = said.get("type", "text").lower()
            on = "checked" in said if kind in _CHOSEN else True
            self._add(Field(name, kind, said.get("value", "on" if kind in _CHOSEN else ""), on))
        elif tag == "button":
            self._add(Field(name, said.get("type", "submit").lower(), said.get("value", "")))
        elif tag == "textarea":
            self._text = Field(name, "textarea")
        elif tag == "select":
            self._select = name
        elif tag == "option":
            first = not any(field.kind == "option" and field.name == self._select for field in self.forms[-1].fields)
            self._pick(Field(self._select, "option", said.get("value", ""), first or "selected" in said))

    def _pick(self, option: Field) -> None:
        """A list shows its selected option, else its first."""
        form = self.forms[-1]
        if option.on:
            others = (
                replace(field, on=False) if field.kind == "option" and field.name == option.name else field
                for field in form.fields
            )
            self.forms[-1] = replace(form, fields=tuple(others))
        self._add(option)

    def _add(self, field: Field) -> None:
        form = self.forms[-1]
        self.forms[-1] = replace(form, fields=(*form.fields, field))

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text = replace(self._text, value=self._text.value + data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._text is not None:
            self._add(replace(self._text, value=self._text.value.removeprefix("\n")))
            self._text = None
        if tag in {element.tag for element in self._open}:
            while self._open.pop().tag != tag:
                pass


def _hides(said: Mapping[str, str]) -> bool:
    rules = _rules(said)
    flat = bool(rules & _FLAT) and "overflow:hidden" in rules
    return "hidden" in said or flat or bool(rules & _GONE)


def _tiny(said: Mapping[str, str], around: bool) -> bool:
    """Type without a size is inherited until something within has a size of its own: mail layouts rely on that."""
    rules = _rules(said)
    return "font-size:0" in rules or (around and not any(rule.startswith("font-size:") for rule in rules))


def _rules(said: Mapping[str, str]) -> set[str]:
    """The style's declarations, with a length of nothing written as 0."""
    style = said.get("style", "").replace(" ", "").lower()
    return {rule.removesuffix("!important").removesuffix("px") for rule in style.split(";")}
