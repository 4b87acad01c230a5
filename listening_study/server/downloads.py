"""Files for experimenters: the table of answers, all events, and what webMUSHRA pages sent."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from listening_study.package import Study
from listening_study.server.rows import answer_rows
from listening_study.server.store import Store
from listening_study.table import table_text


def answers_csv(store: Store, study: Study) -> str:
    """The table of all answers, in which no text is a formula; ``listening_study.table.read_table`` reads it."""
    return table_text(row for person, events in store.everything() for row in answer_rows(study, person, events))


def events_jsonl(store: Store) -> str:
    """Every event as it was stored, one JSON object a line, under pseudonyms."""
    return _lines(
        {
            "participant": person.pseudonym,
            "list": person.list,
            "consent_sha256": person.consent_sha256,
            "kind": each.kind,
            "trial_id": each.trial_id,
            "session": each.session,
            "at_ms": each.at_ms,
            "payload": each.payload,
        }
        for person, events in store.everything()
        for each in events
    )


def raw_posts_jsonl(store: Store) -> str:
    """What webMUSHRA pages sent, one JSON object a line."""
    return _lines({"at_ms": each.at_ms, "body": each.body} for each in store.raw_posts())


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    found: Iterator[str] = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return "".join(found)
