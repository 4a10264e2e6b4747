"""Seats for the jobs of several runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from crosswheel.system.process import Processes, Stopped
from crosswheel.system.room import Room


def test_there_are_as_many_jobs_as_seats_and_memory_allow() -> None:
    room = Room(seats=2, memory=10)
    with room.seat(8, lambda: None) as beside:
        assert beside == 1
        room.processes.stop()
        with pytest.raises(Stopped), room.seat(3, room.processes.look):
            pass
        with room.seat(2, room.processes.look) as both:
            assert both == 2
            with pytest.raises(Stopped), room.seat(0, room.processes.look):
                pass
    with room.seat(11, lambda: None) as beside:  # more than there is: alone
        assert beside == 1


def test_the_first_to_wait_is_the_first_to_sit() -> None:
    room, sat = Room(seats=2, memory=10), []

    def job(name: str, memory: int) -> None:
        with room.seat(memory, lambda: None):
            sat.append(name)

    with ThreadPoolExecutor(2) as pool, room.seat(5, lambda: None):
        pool.submit(job, "large", 9)
        while not room._waiting:
            pass
        pool.submit(job, "small", 1)
        while len(room._waiting) < 2:
            pass
    assert sat == ["large", "small"]


def test_processes_stop_with_those_around_them() -> None:
    outer = Processes()
    inner = Processes(outer)
    inner.look()
    outer.stop()
    with pytest.raises(Stopped):
        inner.look()
    assert not Processes().stopped
