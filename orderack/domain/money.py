"""Money: how many decimals a currency has, and what an order adds up to."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType

from orderack.domain.order import Order, TaxBasis

_TWO = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR
JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS
TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"

MINOR_DIGITS: Mapping[str, int] = MappingProxyType(
    {code: digits for codes, digits in ((_TWO, 2), (_NONE, 0), (_THREE, 3), (_FOUR, 4)) for code in codes.split()}
)
"""Decimals of each currency's minor unit (ISO 4217, list one).

Left out: metals, bond units, testing codes, and what the locale library cannot name yet.
"""


def minor_unit(currency: str) -> Decimal:
    """The smallest amount that can be paid, e.g. 0.01 EUR, 1 JPY, 0.001 KWD; 0.01 for a code outside the list."""
    return Decimal(1).scaleb(-MINOR_DIGITS.get(currency, 2))


def fits(amount: Decimal, currency: str) -> bool:
    """Whether the amount is a whole number of the currency's minor units (10.00 JPY is; 10.50 JPY is not)."""
    return amount % minor_unit(currency) == 0


def add_up(order: Order, *, tax_included: bool = False) -> Decimal:
    """Lines - discount + tax + shipping + fees - credit, rounded half up to the currency's minor unit.

    `tax_included`: the store's prices contain the tax, so it is not added again; what the order itself says goes first.
    """
    totals = order.totals
    if totals.tax_basis is not None:
        tax_included = totals.tax_basis is TaxBasis.INCLUDED
    lines = sum((line.amount for line in order.lines), Decimal(0))
    tax = Decimal(0) if tax_included else totals.tax
    whole = lines - totals.discount + tax + totals.shipping + totals.fees - totals.credit
    return whole.quantize(minor_unit(order.currency), ROUND_HALF_UP)
