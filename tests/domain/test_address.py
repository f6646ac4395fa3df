"""One address, however it is spelled; and two that only look alike."""

import pytest

from orderack.domain.address import address_sha256


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.com", "ada@example.COM"),
        (" ada@example.com ", "ada@example.com"),
        ("ada@Bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@XN--strae-oqa.example"),
        ("+49 30 5550010", "+49305550010"),
        ("+1 (500) 555-0006", "15005550006"),
        ("+49/30.555-0010", "49305550010"),
    ],
)
def test_one_address_has_one_digest_however_it_is_spelled(one: str, other: str) -> None:
    assert address_sha256(one) == address_sha256(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.da@gmail.com", "ada@gmail.com"),
        ("ada+orders@example.com", "ada@example.com"),
        ("ada@xn--bcher-kva.example", "ada@bucher.example"),
        ("+49305550010", "+49305550011"),
        ("-1001234", "1001234"),
        ("01234567890A=", "01234567890a="),
        ("U0123", "0123"),
    ],
)
def test_two_addresses_have_two(one: str, other: str) -> None:
    assert address_sha256(one) != address_sha256(other)


@pytest.mark.parametrize(
    "odd", ["ada@xn--\udcff.example", "ada@xn--.example", "ada@xn--9999999999.example", "@", "xn--"]
)
def test_what_is_no_address_has_one_as_well(odd: str) -> None:
    assert len(address_sha256(odd)) == 64
