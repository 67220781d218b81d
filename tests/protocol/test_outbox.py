"""Every frame is sent once a socket, in order, and kept until it has arrived."""

from openenv.protocol.outbox import Outbox


def filled(count: int) -> Outbox:
    box = Outbox()
    for number in range(1, count + 1):
        box.add(b"%d" % number)
    return box


def test_a_frame_is_taken_once_and_kept_until_it_arrived() -> None:
    box = filled(3)
    assert (box.take(), box.take(), box.added, box.kept_bytes) == ([b"1", b"2", b"3"], [], 3, 3)
    assert box.acknowledge(2)
    assert (box.added, box.kept_bytes) == (3, 1)
    box.rewind(2)
    assert box.take() == [b"3"]


def test_an_older_count_changes_nothing_and_one_too_large_is_refused() -> None:
    box = filled(2)
    assert not box.acknowledge(1), "nothing was sent yet"
    box.take()
    assert box.acknowledge(2)
    assert box.acknowledge(1)
    assert not box.acknowledge(3)
    assert box.kept_bytes == 0


def test_another_socket_goes_on_where_the_last_one_ended() -> None:
    box = filled(4)
    box.take()
    box.acknowledge(1)
    assert [count for count in range(6) if box.can_rewind(count)] == [1, 2, 3, 4]
    box.rewind(2)
    box.add(b"5")
    assert not box.acknowledge(3), "it is on its way again, and cannot have arrived"
    assert box.take() == [b"3", b"4", b"5"]
