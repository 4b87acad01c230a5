from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emomod.batch.clip_list import Listed
from emomod.batch.ledger import LOOKED_AT_ONCE, Ledger, Place, Task
from emomod.batch.store import StoreError
from emomod.batch.work import Outcome, Window


def window(path, key="", start=0.0):
    return Window(path, "sha", start, key or f"key-of-{path}")


def done(task):
    return [Outcome(task.path, task.start, task.key)]


def failed(task, *, final=False, fatal=False):
    return [Outcome(task.path, task.start, task.key, "it broke", final=final, fatal=fatal)]


def ledger(*paths, kept=(), retries=2):
    return Ledger([Listed(path) for path in paths], kept, retries=retries)


def looked(book, *windows):
    """Give the next look these windows."""
    book.take(book.next_task(), list(windows))


def rows(book):
    return {row["path"]: row for row in book.rows({})}


def test_ledger_against_the_design_a_clip_is_looked_at_done_and_told():
    book = ledger("a")
    look = book.next_task()
    assert look == (Listed("a"),)
    assert (book.next_task(), book.n_open, book.n_ended) == (None, 1, 0)
    book.take(look, [window("a", start=0.0), window("a", "second", start=10.0)])
    assert (book.n_open, book.n_ended) == (2, 0)
    first, second = book.next_task(), book.next_task()
    book.take(second, done(second))
    book.take(first, done(first))
    assert (book.n_open, book.n_ended, book.next_task(), book.failed) == (0, 2, None, [])
    assert book.n_in_store == 2
    folders = {first.key: "clips/ke/a-key-of-a", second.key: "clips/se/a-second"}
    assert [(row["start"], row["state"], row["tries"], row["folder"]) for row in book.rows(folders)] == [
        (0.0, "done", 1, "clips/ke/a-key-of-a"),
        (10.0, "done", 1, "clips/se/a-second"),
    ]


def test_ledger_against_the_design_what_is_in_the_store_is_not_done_again():
    book = ledger("a", "b", kept=["key-of-a"])
    looked(book, window("a"), window("b"))
    task = book.next_task()
    assert task.path == "b"
    book.take(task, done(task))
    assert book.next_task() is None
    assert (len(book.done), book.n_kept, book.n_in_store) == (2, 1, 2)
    assert rows(book)["a"]["tries"] == 0


@pytest.mark.parametrize("retries", (0, 1, 3))
def test_ledger_against_the_design_a_window_is_tried_so_often_and_no_oftener(retries):
    book = ledger("a", retries=retries)
    looked(book, window("a"))
    tries = 0
    while (task := book.next_task()) is not None:
        tries += 1
        book.take(task, failed(task))
    assert tries == retries + 1
    assert rows(book)["a"] | {"key": ""} == {
        "path": "a",
        "start": 0.0,
        "key": "",
        "folder": "",
        "state": "failed",
        "tries": retries + 1,
        "error": "it broke",
    }


def test_ledger_against_the_design_another_try_may_help():
    book = ledger("a")
    looked(book, window("a"))
    for result in (failed, failed, done):
        task = book.next_task()
        book.take(task, result(task))
    assert (rows(book)["a"]["state"], rows(book)["a"]["tries"], book.failed) == ("done", 3, [])


def test_ledger_against_the_design_what_no_other_try_helps_is_tried_once():
    book = ledger("a", "b")
    looked(book, Outcome("a", None, error="a: is no sound"), window("b"))
    task = book.next_task()
    book.take(task, failed(task, final=True))
    assert book.next_task() is None
    assert [(each.path, each.error) for each in book.failed] == [("a", "a: is no sound"), ("b", "it broke")]


def test_ledger_against_the_design_the_run_ends_where_the_store_is_to_blame():
    book = ledger("a")
    looked(book, window("a"))
    task = book.next_task()
    with pytest.raises(StoreError, match="it broke"):
        book.take(task, failed(task, fatal=True))


@pytest.mark.parametrize("result", (done, failed))
def test_ledger_against_the_design_copies_of_one_sound_are_done_once(result):
    book = ledger("a", "b", "c", retries=0)
    looked(book, window("a", "same"), window("b", "same"), window("c", "same"))
    task = book.next_task()
    assert (task.path, book.next_task(), book.n_open) == ("a", None, 3)
    book.take(task, result(task))
    assert (book.n_open, book.n_ended) == (0, 3)
    assert {row["state"] for row in book.rows({})} == {result.__name__}
    folder = "clips/sa/a-same"
    assert {row["folder"] for row in book.rows({"same": folder})} == {folder if result is done else ""}
    assert [rows(book)[path]["tries"] for path in "abc"] == [1, 0, 0]


def test_ledger_against_the_design_it_is_the_first_of_the_list_that_is_done():
    n = LOOKED_AT_ONCE
    book = ledger(*(f"{k:02}" for k in range(2 * n)))
    first, second = book.next_task(), book.next_task()
    assert [len(first), len(second)] == [n, n]
    book.take(second, [window(clip.path, "same") for clip in second])
    assert (book.next_task(), book.n_open) == (None, 2 * n)
    book.take(first, [window(clip.path, "same") for clip in first])
    assert book.next_task().path == "00"


def test_ledger_against_the_design_of_clips_that_took_a_worker_down_each_is_looked_at_alone():
    book = ledger("a", "b", "c", retries=1)
    look = book.next_task()
    book.take(look, [Outcome(clip.path, clip.start, error="its worker died", final=False) for clip in look])
    looks = [book.next_task() for _ in range(3)]
    assert looks == [(Listed("a"),), (Listed("b"),), (Listed("c"),)]
    book.take(looks[0], [window("a")])
    book.take(looks[1], [Outcome("b", None, error="its worker died", final=False)])
    book.take(looks[2], [window("c")])
    for _ in range(2):
        task = book.next_task()
        book.take(task, done(task))
    assert book.next_task() is None
    assert [row["state"] for row in book.rows({})] == ["done", "failed", "done"]


RESULTS = st.sampled_from(("done", "again", "final"))


@given(
    keys=st.lists(st.lists(st.integers(0, 30), max_size=3), min_size=1, max_size=40),
    kept=st.sets(st.integers(0, 30), max_size=5),
    retries=st.integers(0, 2),
    data=st.data(),
)
def test_ledger_against_the_design_whatever_happens_each_window_ends_once(keys, kept, retries, data):
    """Clips with windows of some keys, at work in any number and order: bounds, and nothing is lost or done twice."""
    windows = {f"{k:02}": [window(f"{k:02}", f"k{key}", s) for s, key in enumerate(own)] for k, own in enumerate(keys)}
    book = ledger(*windows, kept=[f"k{key}" for key in kept], retries=retries)
    at_work, tries = list[Task](), Counter[Place]()
    in_store = {f"k{key}" for key in kept}
    while True:
        handed = [book.next_task() for _ in range(data.draw(st.integers(1, 4)))]
        at_work += [task for task in handed if task is not None]
        if not at_work:
            break
        task = at_work.pop(data.draw(st.integers(0, len(at_work) - 1)))
        what = data.draw(RESULTS)
        if isinstance(task, Window):
            assert task.key not in in_store
            tries[task.path, task.start] += 1
            in_store |= {task.key} if what == "done" else set()
            book.take(task, done(task) if what == "done" else failed(task, final=what == "final"))
        elif what == "done":
            book.take(task, [each for clip in task for each in windows[clip.path]])
        else:
            final = what == "final"
            book.take(task, [Outcome(clip.path, clip.start, error="x", final=final) for clip in task])
    assert book.n_open == 0
    assert max(tries.values(), default=0) <= retries + 1
    assert book.n_in_store == len(in_store)
    assert {each.key for each in book.done} <= in_store
    ended = {(row["path"], row["start"]): row for row in book.rows({})}
    for path, own in windows.items():
        unlooked = (path, None) in ended
        assert [each for each in own if (each.path, each.start) in ended] == ([] if unlooked else own)
        assert all(ended[path, each.start]["state"] == "failed" or each.key in in_store for each in own if not unlooked)
    assert len(book.done) + len(book.failed) == book.n_ended == len(ended)
