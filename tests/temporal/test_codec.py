"""What Temporal stores is sealed: nothing shows, nothing can be altered or moved, and keys can be changed."""

import base64
import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from orderack.domain.order import Order
from orderack.errors import Misconfigured
from orderack.temporal.codec import KEY_ID, Sealing, _cipher, is_sealed
from orderack.temporal.codec_keys import CodecKeys, new_key
from orderack.temporal.converter import data_converter, sealing_converter
from tests.temporal.server import now
from tests.workflows.orders import an_order

OLD = f"old:{base64.b64encode(bytes(range(32))).decode()}"
NEW = f"new:{base64.b64encode(bytes(range(32, 64))).decode()}"


def sealing(keys: str, namespace: str = "shop") -> Sealing:
    return Sealing(CodecKeys.parse(keys), namespace)


async def sealed(keys: str, data: bytes = b"Ada Example", namespace: str = "shop") -> Payload:
    (made,) = await sealing(keys, namespace).encode([Payload(metadata={"encoding": b"json/plain"}, data=data)])
    return made


async def opened(keys: str, payload: Payload, namespace: str = "shop") -> bytes:
    (found,) = await sealing(keys, namespace).decode([payload])
    return found.data


def test_the_published_vectors_of_the_cipher_hold() -> None:
    """C2SP XAES-256-GCM, "Test vectors"."""
    nonce, text = b"ABCDEFGHIJKLMNOPQRSTUVWX", b"XAES-256-GCM"
    vectors = (
        (b"\x01" * 32, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (b"\x03" * 32, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    )
    for key, bound, expected in vectors:
        assert _cipher(key, nonce).encrypt(nonce[12:], text, bound).hex() == expected


@given(st.binary(max_size=4_000), st.dictionaries(st.sampled_from(["encoding", "messageType", "x"]), st.binary()))
async def test_any_payload_comes_back_as_it_was(data: bytes, metadata: dict[str, bytes]) -> None:
    payload = Payload(metadata=metadata, data=data)
    codec = sealing(NEW)
    assert list(await codec.decode(await codec.encode([payload, payload]))) == [payload, payload]


async def test_nothing_of_an_order_shows_and_it_comes_back_equal_with_the_same_hash() -> None:
    order = an_order("CODEC-1", now())
    converter = sealing_converter(CodecKeys.parse(NEW), "shop")
    (payload,) = await converter.encode([order])
    assert is_sealed(payload)
    assert payload.metadata[KEY_ID] == b"new"
    assert b"json" not in payload.SerializeToString()
    plain = order.model_dump(mode="json")
    for words in (plain["contacts"]["email"], plain["lines"][0]["sku"], order.number):
        assert words.encode() not in payload.SerializeToString()
    (back,) = await converter.decode([payload], [Order])
    assert back == order
    assert back.content_hash == order.content_hash


async def test_the_same_value_twice_is_sealed_differently() -> None:
    assert (await sealed(NEW)).data != (await sealed(NEW)).data


async def test_what_repeats_itself_is_stored_small_and_what_does_not_costs_little() -> None:
    assert len((await sealed(NEW, b"Espresso beans, 1 kg; " * 100)).data) < 200
    noise = secrets.token_bytes(2_000)
    assert len((await sealed(NEW, noise)).data) < len(noise) + 100


async def test_every_key_opens_and_the_first_one_seals() -> None:
    before = await sealed(OLD)
    assert await opened(f"{NEW},{OLD}", before) == b"Ada Example"
    assert (await sealed(f"{NEW},{OLD}")).metadata[KEY_ID] == b"new"


async def test_switched_on_rotated_and_switched_off_everything_older_stays_readable() -> None:
    """The steps of docs/security.md, each with what all steps before it wrote."""
    written: list[Payload] = []
    steps = ("", f"plain,{OLD}", OLD, f"{OLD},{NEW}", f"{NEW},{OLD}", f"plain,{NEW},{OLD}")
    for step in steps:
        written.append(await sealed(step))
        assert [await opened(step, payload) for payload in written] == [b"Ada Example"] * len(written)
    assert [is_sealed(payload) for payload in written] == [False, False, True, True, True, False]


async def test_what_is_sealed_under_a_key_that_is_not_here_is_said_by_the_keys_id_and_never_passed_on() -> None:
    payload = await sealed(OLD)
    for keys in (NEW, f"plain,{NEW}", ""):
        with pytest.raises(Misconfigured, match=r"'old'.*ORDERACK_CODEC_KEYS"):
            await opened(keys, payload)


async def test_any_bit_altered_is_refused() -> None:
    payload = await sealed(NEW)
    for place in range(len(payload.data)):
        bent = bytearray(payload.data)
        bent[place] ^= 1
        with pytest.raises(Misconfigured, match="does not open"):
            await opened(NEW, Payload(metadata=payload.metadata, data=bytes(bent)))
    for length in range(len(payload.data)):
        with pytest.raises(Misconfigured, match="does not open"):
            await opened(NEW, Payload(metadata=payload.metadata, data=payload.data[:length]))


async def test_a_payload_opens_in_no_other_namespace_and_under_no_other_keys_id() -> None:
    payload = await sealed(NEW)
    with pytest.raises(Misconfigured, match="does not open"):
        await opened(NEW, payload, namespace="another")
    same_secret = "renamed:" + NEW.partition(":")[2]
    renamed = Payload(metadata={**payload.metadata, KEY_ID: b"renamed"}, data=payload.data)
    with pytest.raises(Misconfigured, match="does not open"):
        await opened(same_secret, renamed)


@pytest.mark.parametrize("name", [b"\xff\xfe", b"\x1b[2J", b"x" * 5_000, b""])
async def test_a_strange_key_id_is_refused_in_plain_letters(name: bytes) -> None:
    payload = await sealed(NEW)
    with pytest.raises(Misconfigured) as refused:
        await opened(NEW, Payload(metadata={**payload.metadata, KEY_ID: name}, data=payload.data))
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 200


async def test_another_cipher_is_not_guessed_at() -> None:
    payload = await sealed(NEW)
    with pytest.raises(Misconfigured):
        await opened(NEW, Payload(metadata={**payload.metadata, "encryption-cipher": b"none"}, data=payload.data))


async def failure(keys: str) -> Failure:
    made = Failure()
    error = ApplicationError("Ada Example has moved", {"street": "1 Analytical Way"}, type="refused")
    await sealing_converter(CodecKeys.parse(keys), "shop").encode_failure(error, made)
    return made


async def test_a_failures_words_and_details_are_sealed_and_its_type_is_not() -> None:
    made = await failure(NEW)
    for words in (b"Ada", b"moved", b"Analytical"):
        assert words not in made.SerializeToString()
    assert made.application_failure_info.type == "refused"
    back = await sealing_converter(CodecKeys.parse(NEW), "shop").decode_failure(made)
    assert str(back) == "refused: Ada Example has moved"
    plain = await failure("")
    assert b"Ada Example has moved" in plain.SerializeToString()
    both = sealing_converter(CodecKeys.parse(NEW), "shop")
    assert str(await both.decode_failure(plain)) == "refused: Ada Example has moved"


async def test_a_sealed_failure_reads_also_where_new_ones_are_plain() -> None:
    back = await sealing_converter(CodecKeys.parse(f"plain,{NEW}"), "shop").decode_failure(await failure(NEW))
    assert str(back) == "refused: Ada Example has moved"


async def test_without_keys_payloads_are_those_of_the_plain_converter() -> None:
    order = an_order("1", now())
    plain = sealing_converter(CodecKeys.parse(""), "shop")
    assert await plain.encode([order]) == await data_converter().encode([order])


# -- keys -----------------------------------------------------------------------------------------------------------


def test_a_new_key_is_taken_and_no_two_are_the_same() -> None:
    made = [new_key() for _ in range(5)]
    assert len(CodecKeys.parse(",".join(made)).secrets) == 5
    assert all(len(secret) == 32 for secret in CodecKeys.parse(made[0]).secrets.values())


@pytest.mark.parametrize(
    "entry",
    [
        "no-colon",
        ":" + "A" * 44,
        "a b:" + NEW.partition(":")[2],
        "plain:" + NEW.partition(":")[2],
        "x" * 33 + ":" + NEW.partition(":")[2],
        "short:" + base64.b64encode(b"x" * 31).decode(),
        "long:" + base64.b64encode(b"x" * 33).decode(),
        "spoilt:!" + NEW.partition(":")[2],
        "hex:" + "ab" * 32,
        "naïve:" + NEW.partition(":")[2],
        "plain",
    ],
)
def test_a_key_that_will_not_do_is_named_by_its_place_and_never_shown(entry: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        CodecKeys.parse(f"{OLD}, {entry}")
    assert "entry 2" in str(refused.value)
    secret = entry.partition(":")[2]
    assert not secret or secret not in str(refused.value)


def test_two_keys_of_one_id_are_refused() -> None:
    with pytest.raises(Misconfigured, match=r"entry 2.*old"):
        CodecKeys.parse(f"{OLD},{OLD}")


def test_keys_are_not_shown_by_what_holds_them() -> None:
    secret = OLD.partition(":")[2]
    keys = CodecKeys.parse(OLD)
    for shown in (repr(keys), str(keys), repr(sealing(OLD))):
        assert secret not in shown
        assert repr(bytes(range(8)))[2:-1] not in shown


def test_keys_come_from_the_environment_or_from_files_with_the_first_file_sealing(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text(OLD + "\n")
    new.write_text(NEW + "\n")
    assert CodecKeys.configured({"ORDERACK_CODEC_KEYS": f"{NEW},{OLD}"}) == CodecKeys.configured(
        {"ORDERACK_CODEC_KEY_FILES": f"{new}, {old}"}
    )
    assert CodecKeys.configured({"ORDERACK_CODEC_KEY_FILES": f"plain,{old}"}).sealing is None
    assert CodecKeys.configured({}) == CodecKeys()
    with pytest.raises(Misconfigured, match="not both"):
        CodecKeys.configured({"ORDERACK_CODEC_KEYS": OLD, "ORDERACK_CODEC_KEY_FILES": str(old)})
    with pytest.raises(Misconfigured, match=r"missing.*No such file"):
        CodecKeys.configured({"ORDERACK_CODEC_KEY_FILES": str(tmp_path / "missing")})


def test_keys_come_from_this_processs_environment_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERACK_CODEC_KEYS", f"{NEW},{OLD}")
    assert CodecKeys.configured() == CodecKeys.parse(f"{NEW},{OLD}")
