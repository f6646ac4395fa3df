"""Outgoing requests held against the vendor's own description, where the folder with these lies beside the checkout."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest

from tests.conformance.peer import Received

SPECS = Path(__file__).resolve().parents[2].parent / "shared" / "specs" / "messaging"


def spec(path: str) -> Path:
    """The description's file. Skips the test when the folder is not there."""
    if not SPECS.is_dir():
        pytest.skip("the vendors' descriptions are not beside this checkout")
    return SPECS / path


@cache
def _description(path: Path) -> OpenAPI:
    return OpenAPI.from_file_path(str(path))


@contextmanager
def _login_schemes_it_does_not_know() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Unsupported scheme type", UserWarning)
        yield


def assert_described(path: str, host: str, request: Received) -> None:
    """Raise what openapi-core finds wrong with `request` under the description at `path`.

    `host` is the vendor's own, because the request went to a peer of ours.
    """
    described_as(_description(spec(path)), host, request)


def described_as(description: OpenAPI, host: str, request: Received) -> None:
    """Raise what openapi-core finds wrong with `request` under a description that is loaded."""
    target, kind = urlsplit(request.target), request.headers.get("content-type", "")
    described = MockRequest(
        host_url=host,
        method=request.method,
        path=target.path,
        args={name: values[-1] for name, values in parse_qs(target.query).items()},
        headers=dict(request.headers),
        data=request.body,
        # a multipart body cannot be read without the boundary that its type names
        content_type=kind if kind.startswith("multipart/") else kind.partition(";")[0],
    )
    with _login_schemes_it_does_not_know():
        description.validate_request(described)
