"""The store's colour on the page: always legible."""

import re

from hypothesis import given
from hypothesis import strategies as st

from orderack.gateway.page_style import DARK, LEGIBLE, LIGHT, legible, style_for
from orderack.messages.brand import contrast

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(COLOURS)
def test_any_brand_colour_can_be_read_on_the_page_in_light_and_in_dark_and_text_on_it(brand: str) -> None:
    pairs = re.findall(r":root\{--brand:(#\w{6});--on-brand:(#\w{6})\}", style_for(brand).css)
    for (shown, ink), grounds in zip(pairs, ((LIGHT, "#ffffff"), (DARK, "#12161c")), strict=True):
        assert min(contrast(shown, ground) for ground in grounds) >= LEGIBLE
        assert contrast(ink, shown) >= LEGIBLE


@given(COLOURS, st.sampled_from([LIGHT, DARK]))
def test_a_colour_that_can_be_read_is_left_as_it_is(brand: str, ground: str) -> None:
    assert (legible(brand, ground) == brand) is (contrast(brand, ground) >= LEGIBLE)


def test_a_too_light_colour_is_darkened_and_keeps_its_hue() -> None:
    shown = legible("#ffd400", LIGHT)
    red, green, blue = (int(shown[i : i + 2], 16) for i in (1, 3, 5))
    assert red > green > blue == 0


def test_the_sheets_own_colours_can_be_read() -> None:
    sheet = style_for("#1f3a5f").css
    light, dark = (dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})\b", part)) for part in _themes(sheet))
    for theme in (light, dark):
        for name in ("good", "late", "bad"):
            assert contrast(theme[name], theme[f"{name}-bg"]) >= LEGIBLE
        for ground in ("page", "card"):
            ground_colour = _long(theme[ground])
            assert contrast(theme["soft"], ground_colour) >= LEGIBLE
            assert contrast(theme["ink"], ground_colour) >= LEGIBLE
            assert contrast(theme["edge"], ground_colour) >= 3  # a control's border: WCAG 2.2, 1.4.11
            assert contrast(theme["focus"], ground_colour) >= 3
    assert _long(light["page"]) == LIGHT
    assert dark["card"] == DARK


def _themes(sheet: str) -> tuple[str, str]:
    light, rest = sheet.split("@media screen and (prefers-color-scheme:dark)", 1)
    return light, rest.split("}}", 1)[0]


def _long(colour: str) -> str:
    return "#" + "".join(c * 2 for c in colour[1:]) if len(colour) == 4 else colour
