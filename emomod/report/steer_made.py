"""How a steered clip was made, for the end of its page: in words, as a command, in tables."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emomod.report.content import SHORT_CARD, flatten
from emomod.report.steer_words import rules_words
from emomod.steered import Steered, asked_of
from emomod.steering.request import Limit, Request


def made_words(steered: Steered) -> str:
    """Say how the gains were found and judged."""
    record, settings = steered.record, steered.record["settings"]
    how = "by the gradients of the network" if steered.controls.equaliser else "by asking it again for what was missed"
    cut = f"The sound was cut into {record['n_components']} parts ({record['components']['text']})."
    searched = (
        f"A surrogate, fitted to {settings['lime']['n_perturbations']} mixtures, gave a first guess of their gains, "
        f"which was refined {how}, so that the change is as small as the request lets it be. Allowed were changes of "
        f"{rules_words(steered.request)}."
    )
    heard = (
        f"The files ({settings['bits']} bit) were read back and heard again by the model {record['model']['name']}: "
        "the scores on this page are theirs."
    )
    words = [cut, searched, heard]
    if steered.request.nearest:
        words.append("The request did not have to be met in full: what comes nearest to it was taken.")
    if settings["robust"]:
        used = sum(each.used for each in steered.transfers)
        others = f"{used} other model{'' if used == 1 else 's'} and to " if used else ""
        words.append(f"The search was a robust one: it listened to {others}the sound half a frame later, too.")
    return " ".join(words)


def details(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tables of settings, versions, hashes and the model card."""
    card = {key: value for key, value in record["model"].items() if key not in (*SHORT_CARD, "sha256")}
    hashes = {
        "clip": record["clip"],
        "clip sha256": record["clip_sha256"],
        "model sha256": record["model"].get("sha256"),
    }
    tables = {
        "Request": record["request"],
        "Settings": record["settings"],
        "Clip and model": hashes,
        "Software": record["versions"],
        "Model card": card,
    }
    return [{"title": title, "rows": flatten(table)} for title, table in tables.items()]


def command_of(record: Mapping[str, Any], request: Request, *, out: Path) -> str:
    """Return the command that steers this clip again, its options spelt out.

    Models are named only where the record does, which is where they are not those that ship.
    """
    clip, settings, model = record["clip"], record["settings"], record["model"].get("origin")
    shifts = {
        name: asked_of(request, name) if np.isinf(value) else f"{value:+}" for name, value in request.shifts.items()
    }
    options = {
        "max-gain-db": request.max_gain_db,
        **({} if request.budget_db is None else {"budget-db": request.budget_db}),
        **({} if request.most_changed is None else {"most-changed": request.most_changed}),
        "smooth": request.smoothness,
        "components": record["components"]["text"],
        "masks": settings["lime"]["n_perturbations"],
        **({"steps": settings["n_steps"]} if settings["write_steps"] else {}),
        "bits": settings["bits"],
        "start": settings["start"],
        "seed": settings["seed"],
        **({"model": model} if model else {}),
        "out": out,
    }
    words = [f"--shift={name}={value}" for name, value in shifts.items()]  # with "=", for values that begin with "-"
    words = ["--like", request.like] if request.like else words
    words += ["--hold", *request.hold] if request.hold else []
    words += [f"--limit={_limit(each)}" for each in request.limits]
    words += [f"--{name}={f'{value:g}' if isinstance(value, float) else value}" for name, value in options.items()]
    words += ["--robust"] if settings["robust"] else []
    words += ["--nearest"] if request.nearest and not request.like else []
    named = [each["origin"] for each in record["transfer"]]
    words += ["--second", *named] if all(named) and named else []
    return shlex.join(["emomod", "steer", f"./{clip}" if clip.startswith("-") else clip, *words])


def _limit(limit: Limit) -> str:
    return f"{limit.low:g}-{limit.high:g}={limit.gain_db:g}"
