"""The links of one message, as the composition root makes them."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from orderack.bootstrap import assemble
from orderack.domain.acknowledgement import Kind, SendKey
from orderack.domain.order import OrderRef
from orderack.links import BUYER, fingerprint
from orderack.settings import Settings
from orderack.touches import What

PUBLIC = "https://orders.example"


def token(url: str) -> str:
    return urlsplit(url).path.rsplit("/", 1)[1]


async def test_every_link_of_a_message_is_bound_to_it_and_to_its_recipient_and_all_are_of_one_age(
    tmp_path: Path,
) -> None:
    settings = Settings(
        home=tmp_path,
        policy_dir=Path(__file__).parents[2] / "policy",
        public_url=PUBLIC,
        secret=SecretStr("a secret that signs buyers' links"),
    )
    key = SendKey(ref=OrderRef(store="demo", number="1"), revision=2, kind=Kind.CONFIRMATION, n=1, channel="smtp_email")
    async with assemble(settings) as parts:
        made = parts.message_links(key, BUYER, "Ada@example.com")
        page = parts.links.read(token(made.page_url))
        assert (page.ref, page.role, page.via) == (key.ref, BUYER, "smtp_email")
        assert page.recipient == fingerprint("ada@example.com")
        touched = {
            What.PAGE: made.page_link,
            What.SHOP: made.shop_link,
            What.PIXEL: made.pixel_url,
            What.HONEYPOT: made.honeypot_url,
        }
        for what, url in touched.items():
            link = parts.touch_links.read(token(url))
            assert (link.key, link.what, link.recipient, link.made_at) == (key, what, page.recipient, page.made_at)
        assert parts.links.again(page) == made.page_url
        unknown = key.model_copy(update={"ref": OrderRef(store="no-such-store", number="1")})
        assert parts.message_links(unknown, BUYER, "ada@example.com").shop_link == ""
