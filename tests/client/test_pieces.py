from websockets.frames import Frame, Opcode

from openenv.client.pieces import Pieces


def test_message_of_one_frame_is_given_at_once() -> None:
    assert Pieces().add(Frame(Opcode.TEXT, b"abc")) == b"abc"


def test_message_of_several_frames_is_given_with_the_last() -> None:
    pieces = Pieces()
    assert pieces.add(Frame(Opcode.BINARY, b"ab", fin=False)) is None
    assert pieces.add(Frame(Opcode.PING, b"between")) is None
    assert pieces.add(Frame(Opcode.CONT, b"c", fin=False)) is None
    assert pieces.add(Frame(Opcode.CONT, b"d")) == b"abcd"
    assert pieces.add(Frame(Opcode.TEXT, b"next")) == b"next"
