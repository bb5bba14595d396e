"""Planted bugs fit the code as it is, and are caught: a few here, all of them by `make planted`."""

import pytest

from .planted import PROGRAMS, Bug, bugs, catch, copied, detect, places, plant

BUGS = {bug.name: bug for bug in bugs()}
CHEAP = ("newest maker first", "chain not checked", "keys lost by the snapshot", "lock forgotten")


def test_there_are_enough() -> None:
    assert len(BUGS) == len(bugs()) >= 20


@pytest.mark.parametrize("name", BUGS)
def test_text_of_a_bug_stands_exactly_once(name: str) -> None:
    bug = BUGS[name]
    assert (places(bug), bug.detector.split()[0] in PROGRAMS) == (1, True)
    assert bug.find != bug.plant


@pytest.mark.parametrize("name", CHEAP)
def test_planted_bug_is_caught(name: str) -> None:
    caught = catch(BUGS[name])
    assert caught.verdict == "caught", caught.told


def test_detector_passes_on_what_is_unchanged() -> None:
    with copied() as source:
        code, told = detect(BUGS["newest maker first"].detector, source)
    assert code == 0, told


def test_detector_reads_the_copy() -> None:
    """What can't even be imported there is broken, and not caught."""
    caught = catch(bug_with(find="from typing import Final", plant="import no_such_module"))
    assert caught.verdict.startswith("broken"), caught


def test_text_that_stands_nowhere_is_refused() -> None:
    with copied() as source, pytest.raises(ValueError):
        plant(bug_with(find="no such text", plant=""), source)


def bug_with(*, find: str, plant: str) -> Bug:
    return Bug("test", "why", "core/book.py", find, plant, "pytest tests/core/test_book.py")
