"""The module that we supply for a Magento shop: whole in itself, and what it posts is what the source verifies."""

import base64
import hmac
import json
import re
import shutil
import subprocess
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

import pytest

from orderack.errors import BadSignature
from orderack.ports import Hint, RawRequest
from tests.conformance.source import NOW
from tests.sources.magento_bodies import KEY, magento

MODULE = Path(__file__).resolve().parents[2] / "docs" / "sources" / "magento"
PHP = sorted(MODULE.rglob("*.php"))
XML = sorted(MODULE.rglob("*.xml"))
OWN = re.compile(r"Orderack\\Orders\\([A-Za-z\\]+)")


def text(path: str) -> str:
    return (MODULE / path).read_text()


def xml(path: str) -> ElementTree.Element:
    return ElementTree.parse(MODULE / path).getroot()


def constants(path: str) -> dict[str, str]:
    """The texts that a class names by a constant."""
    return dict(re.findall(r"const ([A-Z_]+) = '([^']*)';", text(path)))


# ------------------------------------------------------------------------------------------ whole in itself


def test_every_file_that_magento_needs_is_there_and_well_formed():
    names = {path.relative_to(MODULE).as_posix() for path in MODULE.rglob("*") if path.is_file()}
    assert {
        "registration.php",
        "composer.json",
        "etc/module.xml",
        "etc/events.xml",
        "etc/adminhtml/system.xml",
    } <= names
    assert all(ElementTree.parse(path).getroot().tag == "config" for path in XML)
    assert all(b"noNamespaceSchemaLocation" in path.read_bytes() for path in XML)
    composer = json.loads(text("composer.json"))
    assert composer["type"] == "magento2-module"
    assert set(composer["autoload"]["files"]) <= names


def test_the_module_has_one_name():
    assert xml("etc/module.xml").find("module").get("name") == "Orderack_Orders"
    assert "'Orderack_Orders'" in text("registration.php")
    assert json.loads(text("composer.json"))["autoload"]["psr-4"] == {"Orderack\\Orders\\": ""}


@pytest.mark.parametrize("path", [*XML, *PHP], ids=lambda path: path.relative_to(MODULE).as_posix())
def test_every_class_of_ours_that_is_named_is_there(path):
    for name in OWN.findall(path.read_text()):
        parts = name.split("\\")
        if path.suffix == ".php" and len(parts) == 1:  # a namespace
            assert (MODULE / parts[0]).is_dir()
            continue
        found = MODULE.joinpath(*parts).with_suffix(".php")
        assert found.is_file(), name
        assert re.search(rf"^class {parts[-1]}\b", found.read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", PHP, ids=lambda path: path.relative_to(MODULE).as_posix())
def test_every_file_of_php_is_closed_where_it_is_opened(path):
    code = re.sub(r"/\*.*?\*/|//[^\n]*|'(?:\\.|[^'\\])*'", "", path.read_text(), flags=re.DOTALL)
    assert code.startswith("<?php\n\ndeclare(strict_types=1);\n")
    depth: list[str] = []
    for mark in re.findall(r"[()\[\]{}]", code):
        if mark in "([{":
            depth.append(mark)
        else:
            assert depth, path
            assert depth.pop() + mark in ("()", "[]", "{}"), path
    assert not depth
    declared = path.relative_to(MODULE).parent.as_posix()
    if declared != ".":
        assert f"namespace Orderack\\Orders\\{declared};" in code
    if (php := shutil.which("php")) is not None:
        subprocess.run([php, "-l", str(path)], check=True, capture_output=True, timeout=20)


@pytest.mark.parametrize("path", PHP, ids=lambda path: path.relative_to(MODULE).as_posix())
def test_every_class_that_is_used_is_imported(path):
    code = re.sub(r"/\*.*?\*/|'(?:\\.|[^'\\])*'", "", path.read_text(), flags=re.DOTALL)
    imported = set(re.findall(r"^use [A-Za-z\\]+\\([A-Za-z]+);", code, re.MULTILINE))
    body = re.sub(r"^(use|namespace) [^;]+;", "", code, flags=re.MULTILINE)
    used = set(re.findall(r"(?<!\\)\b([A-Z][A-Za-z]*[a-z][A-Za-z]*)(?= \$|::)", body))
    used |= {name for found in re.findall(r"implements ([A-Za-z, ]+)", body) for name in found.split(", ")}
    beside = {one.stem for one in path.parent.glob("*.php")}
    assert used <= imported | beside
    assert all(re.search(rf"\b{name}\b", body) for name in imported)


def test_one_topic_goes_from_the_observer_through_the_queue_to_the_consumer():
    topic = constants("Observer/OrderSaved.php")["TOPIC"]
    assert xml("etc/communication.xml").find("topic").attrib == {"name": topic, "request": "string"}
    publisher = xml("etc/queue_publisher.xml").find("publisher")
    exchange = xml("etc/queue_topology.xml").find("exchange")
    binding, consumer = exchange.find("binding"), xml("etc/queue_consumer.xml").find("consumer")
    assert publisher.get("topic") == binding.get("topic") == topic
    assert publisher.find("connection").attrib == {"name": exchange.get("connection"), "exchange": exchange.get("name")}
    assert consumer.get("queue") == binding.get("destination")
    assert consumer.get("connection") == exchange.get("connection") == "db"
    handler, _, method = consumer.get("handler").partition("::")
    path = handler.removeprefix("Orderack\\Orders\\").replace("\\", "/")
    assert f"public function {method}(string $message): void" in text(f"{path}.php")


def test_it_listens_after_the_commit_and_no_checkout_waits_for_us_or_fails():
    events = {event.get("name") for event in xml("etc/events.xml")}
    assert events == {"sales_order_save_commit_after", "admin_sales_order_address_update"}
    observer = text("Observer/OrderSaved.php")
    assert "Curl" not in observer
    assert "sleep" not in observer
    body = observer[observer.index("public function execute") : observer.index("private function message")]
    assert body.index("try {") < body.index("$observer->getData") < body.index("publish(") < body.index("\\Throwable")


def test_every_setting_is_declared_and_the_secret_is_encrypted_everywhere():
    paths = {name: value for name, value in constants("Model/Settings.php").items() if "/" in value}
    assert len(paths) == 3
    for path in paths.values():
        section, group, field = path.split("/")
        assert xml("etc/config.xml").find(f"default/{section}/{group}/{field}") is not None
        found = xml("etc/adminhtml/system.xml").find(
            f"system/section[@id='{section}']/group[@id='{group}']/field[@id='{field}']"
        )
        assert found is not None
    encrypted = "Magento\\Config\\Model\\Config\\Backend\\Encrypted"
    assert xml("etc/config.xml").find(f"default/{paths['SECRET']}").get("backend_model") == encrypted
    secret = xml("etc/adminhtml/system.xml").find(".//field[@id='secret']")
    assert (secret.get("type"), secret.findtext("backend_model")) == ("obscure", encrypted)
    sensitive = xml("etc/di.xml").find(".//argument[@name='sensitive']/item")
    assert sensitive.get("name") == paths["SECRET"]
    section = xml("etc/adminhtml/system.xml").find("system/section")
    assert section.findtext("resource") in {one.get("id") for one in xml("etc/acl.xml").iter("resource")}


# ----------------------------------------------------------------------------------------- what it posts


def php_json(value: object) -> bytes:
    """As PHP's `json_encode` writes it by itself: no blanks, slashes escaped, nothing beyond ASCII."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode()


def posted(entity_id: str, increment_id: str, at: datetime = NOW, message_id: str = "msg_" + "0f" * 16) -> RawRequest:
    """What the module posts: its body and its signature, by the recipe in its files and by none of our own code."""
    kind = constants("Observer/OrderSaved.php")["TYPE"]
    body = php_json({"type": kind, "data": {"value": {"entity_id": entity_id, "increment_id": increment_id}}})
    key = base64.b64decode(KEY.removeprefix("whsec_"))
    seconds = str(int(at.timestamp()))
    mac = hmac.new(key, message_id.encode() + b"." + seconds.encode() + b"." + body, sha256).digest()
    names = re.findall(r"'(webhook-[a-z]+)' =>", text("Model/Signature.php"))
    values = (message_id, seconds, "v1," + base64.b64encode(mac).decode())
    return RawRequest(url="https://shop.example/x", headers=dict(zip(names, values, strict=True)), body=body)


def test_the_recipe_is_the_one_in_the_files():
    """Should one of these lines change, `posted` has to change with it."""
    assert "hash_hmac('sha256', $id . '.' . $seconds . '.' . $body, $key, true)" in text("Model/Signature.php")
    assert "'v1,' . base64_encode($mac)" in text("Model/Signature.php")
    assert "['type' => self::TYPE, 'data' => ['value' => $value]]" in text("Observer/OrderSaved.php")
    assert "'msg_' . bin2hex(random_bytes(16))" in text("Observer/OrderSaved.php")
    assert "substr($secret, 6)" in text("Model/Settings.php")
    assert "$curl->post($this->settings->url($store), $body)" in text("Model/Teller.php")


@pytest.mark.parametrize("number", ["000000361", "DE/2026/7", "注文-9"])
async def test_what_it_posts_is_verified_and_names_the_order(number):
    source, request = magento(), posted("361", number)
    assert await source.greet(request) is None
    await source.verify(request)
    (delivery,) = source.deliveries(request)
    assert delivery.id == "module:msg_" + "0f" * 16
    assert await source.read(delivery) == (Hint(external_id="361"),)
    (again,) = source.deliveries(posted("361", number, NOW + timedelta(seconds=12)))
    assert again.id == delivery.id  # the next attempt: another time and signature, the same message
    (other,) = source.deliveries(posted("361", number, message_id="msg_" + "aa" * 16))
    assert other.id != delivery.id  # another save
    await source.aclose()


async def test_what_it_did_not_sign_is_not_believed():
    source, request = magento(), posted("361", "1")
    changed = request.body.replace(b'"361"', b'"362"')
    assert changed != request.body
    for forged in (
        request.model_copy(update={"body": changed}),
        request.model_copy(update={"headers": {**request.headers, "webhook-id": "msg_other"}}),
        posted("361", "1", NOW - timedelta(minutes=6)),
    ):
        with pytest.raises(BadSignature):
            await source.verify(forged)
    await source.aclose()


async def test_an_order_without_an_id_yet_is_asked_for_by_its_number():
    source = magento()
    (delivery,) = source.deliveries(posted("", "000000361"))
    assert await source.read(delivery) == (Hint(external_id="number:000000361"),)
    await source.aclose()
