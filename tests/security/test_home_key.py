"""The key of an installation on one machine: made once, its owner's alone, and the same for every part of it."""

from pathlib import Path

import pytest

from orderack.embedded.home import Home
from orderack.embedded.stack import Ports, _codec_keys
from orderack.temporal.codec_keys import CodecKeys
from tests.temporal.test_codec import OLD


def test_it_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert CodecKeys.configured(_codec_keys(home)) == CodecKeys(), "nothing is sealed unless that is asked for"
    home.make_codec_key()
    first = home.codec_keys.read_text()
    home.make_codec_key()
    assert home.codec_keys.read_text() == first
    assert home.codec_keys.stat().st_mode & 0o777 == 0o600
    keys = CodecKeys.configured(_codec_keys(home))
    assert keys.sealing == first.partition(":")[0]


def test_keys_that_the_settings_name_come_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home")
    home.make_codec_key()
    monkeypatch.setenv("ORDERACK_CODEC_KEYS", OLD)
    assert CodecKeys.configured(_codec_keys(home)) == CodecKeys.parse(OLD)


def test_the_codec_servers_port_is_a_free_one() -> None:
    assert Ports(0, 0, 0, 0, 0).taken().codec > 0
