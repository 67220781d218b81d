"""The handshake says which link it is, and keeps the name of a link out of what people read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv.errors import PeerError
from openenv.protocol import LinkLimits, Welcome
from openenv.protocol.welcome import decode_welcome, encode_welcome, read_resume, resume_header

WELCOME = Welcome("1-s3cret", True, 7, 60.0, LinkLimits(frame_bytes=5), ("view",))


def test_a_welcome_arrives_as_it_was_sent() -> None:
    frame = encode_welcome(WELCOME)
    assert decode_welcome(frame) == decode_welcome(frame.decode()) == WELCOME
    assert frame.startswith(b'{"type":"welcome","data":{"link":"1-s3cret","resumed":true,"received":7,"grace_s":60.0,')
    assert b'"max_frame_bytes":5' in frame


def test_what_an_older_server_leaves_out_has_a_default() -> None:
    frame = '{"type":"welcome","data":{"link":"a","resumed":false,"received":0}}'
    assert decode_welcome(frame) == Welcome("a", False, 0, 0.0, LinkLimits())


def test_the_name_of_a_link_is_not_shown() -> None:
    assert "s3cret" not in repr(WELCOME)
    with pytest.raises(PeerError) as raised:
        decode_welcome(encode_welcome(WELCOME).replace(b"7", b"-7"))
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "data",
    [
        '{"link":"a","resumed":false}',
        '{"link":"","resumed":false,"received":0}',
        '{"link":"a;1","resumed":false,"received":0}',
        '{"link":"a","resumed":0,"received":0}',
        '{"link":"a","resumed":false,"received":true}',
        '{"link":"a","resumed":false,"received":1.0}',
        '{"link":"a","resumed":false,"received":0,"grace_s":-1}',
        '{"link":"a","resumed":false,"received":0,"grace_s":NaN}',
        '{"link":"a","resumed":false,"received":0,"max_requests":"many"}',
        '{"link":"a","resumed":false,"received":0,"extensions":"view"}',
        "[]",
    ],
)
def test_a_welcome_that_makes_no_sense_is_the_peers_error(data: str) -> None:
    with pytest.raises(PeerError, match="welcome"):
        decode_welcome(f'{{"type":"welcome","data":{data}}}')


@given(st.text() | st.binary())
def test_garbage_is_the_peers_error(frame: str | bytes) -> None:
    with pytest.raises(PeerError):
        decode_welcome(frame)


def test_a_resume_names_the_link_and_the_count() -> None:
    assert read_resume(resume_header("2-abc", 41)) == ("2-abc", 41)


@pytest.mark.parametrize(
    "header", ["", "abc", ";1", "abc;", "abc;-1", "abc;1;2", "a b;1", "abc;\u0663", f"abc;{10**15}"]
)
def test_a_resume_that_makes_no_sense_is_none(header: str) -> None:
    assert read_resume(header) is None
