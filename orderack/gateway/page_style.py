"""The page's style sheet in a store's colour: always legible, and the policy that allows no other."""

import base64
import hashlib
from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from orderack.messages.brand import contrast

LIGHT, DARK = "#f3f5f8", "#1a2028"
"""The page's grounds that the store's colour must stand out from; see `style.css`."""

LEGIBLE = 4.5
"""WCAG 2.2, 1.4.3 (AA)."""

_STATIC = files("orderack.gateway").joinpath("templates/style.css").read_text(encoding="utf-8")
_POLICY = "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
"""No script, no image, no frame, nothing from elsewhere: only this style sheet and our own forms."""


@dataclass(frozen=True)
class Style:
    css: str
    policy: str
    """The Content-Security-Policy that allows exactly this style sheet."""


@lru_cache(maxsize=256)
def style_for(brand: str) -> Style:
    """The style sheet in this colour (`#rrggbb`)."""
    light, dark = legible(brand, LIGHT), legible(brand, DARK)
    css = (
        _STATIC
        + f":root{{--brand:{light};--on-brand:{_ink(light)}}}\n"
        + f"@media screen and (prefers-color-scheme:dark){{:root{{--brand:{dark};--on-brand:{_ink(dark)}}}}}\n"
    )
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return Style(css, _POLICY.format(digest=digest))


def legible(colour: str, ground: str) -> str:
    """The colour, darkened or lightened just so far that text in it can be read on this ground (both `#rrggbb`).

    Hue and saturation stay: mixed with white, a navy button would look switched off.
    """
    end = max((0.0, 1.0), key=lambda light: contrast(_hex(0, light, 0), ground))
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, light, saturation = rgb_to_hls(red, green, blue)
    for step in range(101):
        shown = _hex(hue, light + (end - light) * step / 100, saturation) if step else colour
        if contrast(shown, ground) >= LEGIBLE:
            return shown
    return _hex(0, end, 0)


def _hex(hue: float, light: float, saturation: float) -> str:
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in hls_to_rgb(hue, light, saturation))


def _ink(ground: str) -> str:
    return max(("#ffffff", "#0b0f14"), key=lambda ink: contrast(ink, ground))
