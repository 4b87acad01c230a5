"""All that the routes of one served study work with."""

from dataclasses import dataclass, field
from typing import Any

from emomod.errors import InputError
from listening_study.package import Study
from listening_study.page_texts import page_texts
from listening_study.server.codes import new_key
from listening_study.server.consent import consent_text
from listening_study.server.limits import Limit
from listening_study.server.presented import Presenter
from listening_study.server.settings import ServeSettings
from listening_study.server.store import Store

LEAST_TOKEN = 16  # letters


@dataclass(frozen=True)
class Limits:
    """How often what may be asked for."""

    joining: Limit = field(default_factory=lambda: Limit(rate=5, burst=100))  # of all together
    asking: Limit = field(default_factory=lambda: Limit(rate=20, burst=100))  # of each participant
    hearing: Limit = field(default_factory=lambda: Limit(rate=20, burst=300))  # of each participant
    withdrawing: Limit = field(default_factory=lambda: Limit(rate=20, burst=200))  # of all together
    entering: Limit = field(default_factory=lambda: Limit(rate=5, burst=100))  # with the experimenter's token
    posting: Limit = field(default_factory=lambda: Limit(rate=5, burst=100))  # results of webMUSHRA


@dataclass(frozen=True, eq=False)
class Service:
    """A study, its store, and how it is served."""

    study: Study
    store: Store
    presenter: Presenter
    settings: ServeSettings
    token: str  # that opens the experimenter's pages
    cookie_key: str
    consent: str
    limits: Limits

    @property
    def texts(self) -> dict[str, Any]:
        """All that the page says."""
        return page_texts(self.study.plan.language)


def make_service(
    study: Study, store: Store, *, token: str, settings: ServeSettings | None = None, limits: Limits | None = None
) -> Service:
    """Bind a store to a study; InputError where it holds another's answers, or the token is too short to be secret."""
    if len(token) < LEAST_TOKEN:
        raise InputError(f"token must have at least {LEAST_TOKEN} letters, got {len(token)}")
    settings = settings or ServeSettings()
    consent = consent_text(study, settings)
    store.belong_to(study.identity)
    presenter = Presenter(study, store.sound_key())
    cookie_key = store.setting("cookie_key", new_key())
    return Service(study, store, presenter, settings, token, cookie_key, consent, limits or Limits())
