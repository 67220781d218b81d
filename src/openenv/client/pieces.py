"""Messages put together again from the frames they arrived in."""

from websockets.frames import Frame, Opcode

__all__ = ["Pieces"]

_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class Pieces:
    """What has arrived of a message that is not complete."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []

    def add(self, frame: Frame) -> bytes | None:
        """Take a frame in, and give the message that it completes; None for part of one and for control frames."""
        if frame.opcode not in _DATA:
            return None
        if frame.fin and not self._frames:
            return bytes(frame.data)
        self._frames.append(bytes(frame.data))
        if not frame.fin:
            return None
        message = b"".join(self._frames)
        self._frames.clear()
        return message
