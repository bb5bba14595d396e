"""Whoever logs never waits and never fails: a stalled reader costs lines, nothing else."""

import os

from tradeclear.telemetry.lines import LineWriter


def test_lines_are_written_in_order() -> None:
    read, write = os.pipe()
    writer = LineWriter(write)
    for number in range(100):
        assert writer.put(f"{number}\n".encode())
    writer.finish(5)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        assert stream.read().split() == [str(number).encode() for number in range(100)]


def test_a_stalled_reader_costs_lines_only() -> None:
    read, write = os.pipe()
    writer = LineWriter(write, bytes_max=500_000)
    accepted = [writer.put(b"x" * 200_000) for _ in range(10)]
    writer.finish(0.05)
    assert not all(accepted)
    assert writer.dropped == accepted.count(False)
    os.close(read)
    writer.finish(5)
    os.close(write)


def test_a_broken_pipe_is_counted() -> None:
    read, write = os.pipe()
    os.close(read)
    writer = LineWriter(write)
    assert writer.put(b"nobody reads this")
    writer.finish(5)
    assert writer.dropped == 1
    os.close(write)
