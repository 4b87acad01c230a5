"""A store of links leads out of itself: nothing behind them is read as its own, or removed."""

import pytest
from small_batches import small_store

from emomod.batch.store import found_keys
from emomod.batch.verify import verify_store
from emomod.errors import InputError


@pytest.fixture
def store(tmp_path):
    return small_store(tmp_path, n_clips=1)


@pytest.mark.parametrize("place", ("clips", "clips/??", "tables", "tables/runs"))
def test_verify_store_regression_what_lies_behind_links_is_left_alone(store, tmp_path, place):
    found = next(path for path in sorted(store.glob(place)) if any(path.iterdir()))
    moved = tmp_path / "elsewhere"
    found.rename(moved)
    found.symlink_to(moved)
    before = sorted(path.relative_to(moved) for path in moved.rglob("*"))
    (moved / "mine.parquet").write_text("not the store's")
    for repair in (False, True):
        with pytest.raises(InputError, match="is a link, of which a store has none"):
            verify_store(store, repair=repair)
    with pytest.raises(InputError, match="is a link"):
        found_keys(store)
    after = sorted(path.relative_to(moved) for path in moved.rglob("*"))
    assert [str(path) for path in after if str(path) != "mine.parquet"] == [str(path) for path in before]
    assert (moved / "mine.parquet").read_text() == "not the store's"
