"""N1 loops: who buys, who pays, where it goes; and whatever else is said of people and places, in words."""

from collections.abc import Iterable, Mapping, Sequence

from orderack.domain.order import Address, Contacts, Customer, Relation
from orderack.edi.purchase import Contact, Item, Partner, Purchase
from orderack.sources._edi_x12_context import Context
from orderack.sources._reading import address_of, email_of, line_of, name_of, phone_of

_SELF = frozenset({"SE", "VN", "SU"})
"""Roles that are ours."""


def ship_to(purchase: Purchase) -> Partner | None:
    """The heading's; the lines' where they all say the same; else the buyer."""
    of_lines = [_own(item) for item in purchase.items]
    if purchase.party("ST") is None and of_lines and of_lines[0] and len({_key(one) for one in of_lines}) == 1:
        return of_lines[0]
    return purchase.party("ST", "BY")


def bill_to(purchase: Purchase) -> Partner | None:
    return purchase.party("BT", "BY")


def is_split(purchase: Purchase) -> bool:
    """Whether it goes to several places, so that no one address is right for it."""
    headed = {_key(party) for party in purchase.parties if party.role == "ST"}
    of_lines = {_key(own) for item in purchase.items if (own := _own(item))}
    shares = set() if headed else {share.place for item in purchase.items for share in item.shares}
    return len(headed | of_lines) > 1 or len(shares) > 1


def _own(item: Item) -> Partner | None:
    return next((party for party in item.parties if party.role == "ST"), None)


def _key(party: Partner | None) -> tuple[str, ...]:
    if party is None:
        return ()
    if party.id:
        return (party.qualifier, party.id)
    return (party.name, *party.streets, party.city, party.postal_code)


def customer_of(purchase: Purchase, context: Context) -> Customer:
    buyer = purchase.party("BY", "BT")
    told = f"{buyer.qualifier}-{buyer.id}".strip("-") if buyer and buyer.id else context.partner
    name = (buyer.name if buyer else "") or context.profile.name
    own = context.profile.customer or name_of(told) or context.partner
    return Customer(id=own, name=line_of(name), relation=Relation.ENTERPRISE)


def contacts_of(purchase: Purchase, context: Context) -> Contacts:
    profile, country = context.profile, context.connection.country
    ways = _ways(purchase)
    return Contacts(
        email=email_of(ways.get("EM")) or email_of(profile.email),
        phone=phone_of(ways.get("TE"), country) or phone_of(profile.phone, country),
        language=context.connection.language,
    )


def _ways(purchase: Purchase) -> Mapping[str, str]:
    """The first of each kind."""
    buyer = purchase.party("BY", "BT")
    found: dict[str, str] = {}
    for contact in [*purchase.contacts, *(buyer.contacts if buyer else ())]:
        for qualifier, number in contact.ways:
            found.setdefault(qualifier, number)
    return found


def address_at(party: Partner | None, context: Context) -> Address | None:
    """What the N1 loop says, or where the code that stands in its place is, by the partner's profile."""
    if party is None:
        return None
    ways = {f"{party.qualifier}/{party.id}", party.id}
    known = next((place for code, place in context.profile.locations.items() if code in ways), None)
    if not party.streets and known is not None:
        return known
    return address_of(
        name=", ".join(party.more_names) or None,
        company=party.name or None,
        street=party.streets[0] if party.streets else None,
        street2=", ".join(party.streets[1:]) or None,
        city=party.city,
        region=party.region,
        postal_code=party.postal_code,
        country=party.country,
        otherwise=context.connection.country,
    )


def places_in_words(purchase: Purchase) -> list[str]:
    """Of the heading: the codes of the places, everybody whom no field holds, and how they can be reached."""
    goes, pays, known = ship_to(purchase), bill_to(purchase), _ways(purchase)
    said = [f"ship to {goes.name} ({goes.qualifier} {goes.id})"] if goes is not None and goes.id else []
    for party in purchase.parties:
        held = party is goes or party is pays or (party.role == "BY" and not party.streets)
        if not held and party.role not in _SELF:
            said.append(place_in_words(party))
        said += _contacts_in_words(party.role, party.contacts, known)
    return [*said, *_contacts_in_words("", purchase.contacts, known)]


def place_in_words(party: Partner) -> str:
    names = (party.name, *party.more_names, party.id)
    parts = (*names, *party.streets, party.city, party.region, party.postal_code, party.country)
    return f"{party.role}: {', '.join(part for part in parts if part)}"


def _contacts_in_words(role: str, contacts: Sequence[Contact], known: Mapping[str, str]) -> Iterable[str]:
    """Names, and ways that are not the order's own."""
    for contact in contacts:
        ways = [f"{qualifier} {number}" for qualifier, number in contact.ways if known.get(qualifier) != number]
        ways += [f"{qualifier} {number}" for qualifier, number in contact.ways if qualifier not in ("EM", "TE")]
        words = ", ".join(dict.fromkeys(part for part in (contact.name, *ways) if part))
        if words:
            yield f"contact {' '.join(part for part in (role, contact.role) if part)}: {words}"
