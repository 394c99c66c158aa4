from __future__ import annotations

import hashlib
import hmac

import pytest

from orders.intake.signature import sign, verify_signature

KEY = b"0123456789abcdef0123456789abcdef"
BODY = b'{"action":"buy"}'


def test_a_signature_made_elsewhere() -> None:
    header = "sha256=" + hmac.new(KEY, BODY, hashlib.sha256).hexdigest()
    assert sign(BODY, KEY) == header
    assert verify_signature(header, BODY, KEY)
    assert verify_signature("sha256=" + header[7:].upper(), BODY, KEY)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha256=00",
        "sha256=" + "0" * 64,
        "sha256=" + "g" * 64,
        "sha1=" + "0" * 40,
        sign(BODY, KEY)[7:],
        sign(BODY, KEY) + "\n",
        " " + sign(BODY, KEY),
        sign(BODY, KEY) + "00",
        "sha256=" + "０" * 64,
        sign(BODY + b" ", KEY),
        sign(BODY, KEY[::-1]),
    ],
)
def test_what_is_no_signature(header: str | None) -> None:
    assert verify_signature(header, BODY, KEY) is False


def test_a_key_that_everybody_has_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        sign(BODY, b"")
    with pytest.raises(ValueError, match="at least"):
        verify_signature(None, BODY, b"short")
