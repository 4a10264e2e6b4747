"""What a container's own counters say about its memory."""

from __future__ import annotations

from crosswheel.containers.memory import Watch


def test_each_kill_is_told_once() -> None:
    """With the files of cgroup v2 and v1."""
    for text in (
        "low 0\nmax 9\noom 1\noom_kill {}\noom_group_kill 7\n",
        "oom_kill_disable 0\nunder_oom 0\noom_kill {}",
    ):
        watch = Watch()
        assert [watch.hear_kills(text.format(count)) for count in (0, 2, 2, 3)] == [False, True, False, True]
    assert not Watch().hear_kills("")
