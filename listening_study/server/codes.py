"""Random names that nobody can guess: of participants, of sounds, and the codes by which participants withdraw."""

import hashlib
import hmac
import re
import secrets

LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that are mistaken for each other
GROUPS, GROUP = 4, 4
PARTICIPANT = "[0-9a-f]{32}"


def new_participant_id() -> str:
    """The secret part of the address of a participant's page: 128 bits."""
    return secrets.token_hex(16)


def is_participant_id(text: str) -> bool:
    """Whether a text can be one."""
    return re.fullmatch(PARTICIPANT, text) is not None


def new_pseudonym() -> str:
    """What a participant is called in tables; the id does not follow from it."""
    return "p" + secrets.token_hex(6)


def new_withdrawal_code() -> str:
    """A code of 78 bits that can be written down, such as 7KQF-2M9X-H4TB-W3ZD."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(GROUPS))


def written_code(text: str) -> str:
    """A withdrawal code as it was given out, however it was typed in.

    >>> written_code(" 7kqf2m9x h4tb-w3zd ")
    '7KQF-2M9X-H4TB-W3ZD'
    """
    letters = [letter for letter in text.upper() if letter.isalnum()]
    return "-".join("".join(letters[k : k + GROUP]) for k in range(0, len(letters), GROUP))


def new_key() -> str:
    """A key for ``sound_id``."""
    return secrets.token_hex(32)


def sound_id(key: str, participant_id: str, trial_id: str, place: int) -> str:
    """The name of one sound of one trial for one participant: it tells neither file nor what else is the same file."""
    told = "\n".join([participant_id, trial_id, str(place)])
    return hmac.new(bytes.fromhex(key), told.encode(), hashlib.sha256).hexdigest()[:32]


def same(given: str, wanted: str) -> bool:
    """Whether two secrets are equal; it takes as long whatever they have in common."""
    digests = (hashlib.sha256(each.encode("utf-8", "surrogatepass")).digest() for each in (given, wanted))
    return hmac.compare_digest(*digests)
