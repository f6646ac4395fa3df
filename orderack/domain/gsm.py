"""The alphabet of text messages: what goes in seven bits; anything else makes the whole message cost more.

Source: 3GPP TS 23.038 (GSM 7-bit default alphabet and its extension table).
"""

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")
"""Two of the seven-bit characters each."""


def in_gsm(text: str) -> bool:
    """Whether the whole text fits the alphabet."""
    return BASIC.issuperset(set(text) - EXTENSION)
