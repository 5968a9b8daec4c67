"""Codes that officials read and type."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.errors import ConfigurationError
from recovery.records.codes import document_code, matching_time_step, normal_code, typed_digits

# RFC 6238, appendix B: the SHA-1 test secret, and the last six of the eight digits that it prints.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_VECTORS = (
    (59, "287082", 1),
    (1111111109, "081804", 37037036),
    (1234567890, "005924", 41152263),
    (2000000000, "279037", 66666666),
)


@pytest.mark.parametrize(("second", "code", "step"), RFC_VECTORS)
def test_the_codes_of_the_standard_are_recognised(second: int, code: str, step: int) -> None:
    assert step == matching_time_step(RFC_SECRET, code, datetime.fromtimestamp(second, UTC))


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_device_may_be_one_time_step_off(steps: int) -> None:
    moment = datetime.fromtimestamp(1111111109 + 30 * steps, UTC)

    assert matching_time_step(RFC_SECRET, "081804", moment) == 37037036


@pytest.mark.parametrize("steps", [-2, 2, 10, -10])
def test_a_device_that_is_further_off_is_not_recognised(steps: int) -> None:
    moment = datetime.fromtimestamp(1111111109 + 30 * steps, UTC)

    assert matching_time_step(RFC_SECRET, "081804", moment) is None


@pytest.mark.parametrize("typed", ["081 804", " 081804 ", "081-804"])
def test_blanks_and_dashes_between_the_six_digits_do_not_matter(typed: str) -> None:
    assert typed_digits(typed) == "081804"
    assert matching_time_step(RFC_SECRET, typed, datetime.fromtimestamp(1111111109, UTC)) == 37037036


@pytest.mark.parametrize("typed", ["", "08180", "0818041", "O81804", "٠٨١٨٠٤", "０８１８０４", "081804\x00"])
def test_what_is_not_six_digits_is_no_one_time_code(typed: str) -> None:
    assert typed_digits(typed) is None
    assert matching_time_step(RFC_SECRET, typed, datetime.fromtimestamp(1111111109, UTC)) is None


def test_a_clock_that_was_never_set_is_an_error_and_not_a_wrong_code() -> None:
    with pytest.raises(ConfigurationError, match="the server's clock stands at 1970"):
        matching_time_step(RFC_SECRET, "287082", datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=3))


def test_the_document_code_is_the_first_forty_bits_of_the_hash() -> None:
    assert document_code("00" * 32) == "0000-0000"
    assert document_code("ff" * 32) == "ZZZZ-ZZZZ"
    # 0x0123456789 in groups of five bits: 0 0 9 3 8 21 12 15 9 … written in Crockford's alphabet.
    assert document_code("0123456789" + "0" * 54) == "04HM-ASW9"


@given(st.binary(min_size=32, max_size=32))
def test_a_document_code_is_understood_however_it_is_typed(hash_bytes: bytes) -> None:
    code = document_code(hash_bytes.hex())
    plain = code.replace("-", "")

    for typed in (code.lower(), plain, " ".join(plain), plain.replace("0", "o"), plain.replace("1", "l"), code + "\n"):
        assert normal_code(typed) == plain
    assert normal_code(plain.replace("1", "I").replace("0", "O")) == plain


@given(st.binary(min_size=32, max_size=32), st.integers(0, 39))
def test_another_hash_has_another_code(hash_bytes: bytes, bit: int) -> None:
    other = bytes([*hash_bytes[: bit // 8], hash_bytes[bit // 8] ^ (1 << (bit % 8)), *hash_bytes[bit // 8 + 1 :]])

    assert document_code(hash_bytes.hex()) != document_code(other.hex())
