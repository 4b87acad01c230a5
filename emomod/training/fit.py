"""Train a network on labelled clips.

Clips are split in whole groups into training, validation and test (emomod.datasets.splits). The weights of the round
with the best mean Pearson r on validation are kept. After each round the whole state goes to disk, so that a run that
was killed goes on; on a CPU with as many threads it ends with the same weights as one that was never stopped.
"""

import csv
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.alone import alone
from emomod.datasets.splits import Split, splits_of
from emomod.errors import InputError
from emomod.labelled_clips import LabelledClips
from emomod.model.network import EmotionNetwork
from emomod.model.predictor import usable_device
from emomod.output import whole_file
from emomod.training.augmentation import augment
from emomod.training.couples import alike, couple_numbers, couples_loss, units_to_show
from emomod.training.fit_state import FitState, load_state, optimiser_moments, restore_moments, save_state
from emomod.training.scoring import heard_r, predict_scores, window_of
from emomod.training.settings import TrainingSettings
from emomod.training.targets import labels_for, new_network, trained_names, training_loss

TABLE = ("round", "loss", "mean_r", "learning_rate", "clips_per_second")  # then r of each score on validation
Log = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Fit:
    """What training gives."""

    network: EmotionNetwork  # of the best round, in evaluation mode, on the CPU
    best_round: int
    validation_r: NDArray[np.float64]  # [n_names] of the network's scores; NaN where no labels are known
    test_r: NDArray[np.float64]  # [n_names]
    spread: NDArray[np.float64]  # [n_names], standard deviation of the network's scores over the clips of the test
    split: Split
    seconds: float  # that the training steps took


def order_of_round(units: Sequence[NDArray[np.intp]], settings: TrainingSettings, number: int) -> NDArray[np.intp]:
    """Indices [n_steps, batch_size] of the clips of round ``number`` (from 0); a new order for each pass over all.

    ``units``: indices of clips that come one after the other, see ``units_to_show``.
    """
    length, n_clips = settings.steps_a_round * settings.batch_size, sum(map(len, units))
    first = number * length
    passes = range(first // n_clips, (first + length - 1) // n_clips + 1)
    orders = [
        np.concatenate([units[place] for place in np.random.default_rng([settings.seed, each]).permutation(len(units))])
        for each in passes
    ]
    start = first - passes.start * n_clips
    return np.concatenate(orders)[start : start + length].reshape(settings.steps_a_round, settings.batch_size)


def fit_network(
    clips: LabelledClips,
    settings: TrainingSettings,
    *,
    state_path: Path,
    split: Split | None = None,
    device: str | None = None,
    log: Log = lambda _: None,
) -> Fit:
    """Train on ``clips``; the state stays in ``state_path``, a table of rounds beside it (.csv).

    ``split``: by default the first of the settings' protocol and seed. ``device``: "cpu" or "cuda", by default the best
    there is. InputError where another process trains to the same state.
    """
    split = splits_of(settings.split, clips.groups, seed=settings.seed)[0] if split is None else split
    run = _Run(clips, split, settings, state_path=state_path, device=usable_device(device))
    with alone(state_path.with_name(f"{state_path.name}.lock")) as check_there:
        run.resume()
        while run.round < settings.rounds and run.round - run.best_round < settings.patience:
            told = run.train_round()
            check_there()
            run.write()
            log(told)
    network = run.best_network()
    predicted = run.predicted(network, split.test, autocast=False)
    test_r, spread = heard_r(predicted, run.labels[split.test]), predicted.std(axis=0, ddof=1, dtype=np.float64)
    return Fit(network.cpu(), run.best_round, run.best_r, test_r, spread, split, run.seconds)


class _Run:
    """The moving parts of a training run."""

    def __init__(
        self,
        clips: LabelledClips,
        split: Split,
        settings: TrainingSettings,
        *,
        state_path: Path,
        device: torch.device,
    ) -> None:
        self.clips, self.split, self.settings, self.state_path, self.device = clips, split, settings, state_path, device
        network = new_network(settings, clips.labels[split.train])
        self.names = network.names
        self.labels = labels_for(self.names, clips.labels)
        self.trained = [name in trained_names(settings.variant) for name in self.names]
        self.identity = _identity(clips, split, settings)
        self._check_labels()
        labelled = np.isfinite(self.labels[split.train][:, self.trained]).any(axis=1)
        kept = split.train[labelled]  # clips of which nothing that is trained is known teach nothing
        self.couples = couple_numbers(clips.couples)
        self.units = units_to_show(kept, self.couples)
        self.network = network.to(device)
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser,
            max_lr=settings.learning_rate,
            total_steps=settings.rounds * settings.steps_a_round + 1,
            pct_start=0.25,
        )
        self.round, self.best_round, self.best_r = 0, 0, np.full(len(self.names), -1.0)
        self.best_state = _copied(network.state_dict())
        self.table: list[list[float]] = []

    def _check_labels(self) -> None:
        """Each trained score must be known for some clips of each part."""
        for name in ("train", "validation", "test"):
            counts = np.isfinite(self.labels[getattr(self.split, name)]).sum(axis=0)
            if few := [self.names[k] for k in np.flatnonzero((counts < 2) & np.array(self.trained))]:
                raise InputError(f"labels must be known for at least 2 clips of {name}, but not so {', '.join(few)}")

    def resume(self) -> None:
        """Go on from the state on disk, if there is one of the same run."""
        if not self.state_path.is_file():
            return
        stored = load_state(self.state_path)
        if stored.record.get("identity") != self.identity:
            raise InputError(
                f"{self.state_path}: belongs to a run with other settings or clips; remove it to start anew"
            )
        self.network.load_state_dict(stored.network)
        restore_moments(self.optimiser, stored.moments)
        self.schedule.load_state_dict(stored.record["schedule"])
        for group, rate in zip(self.optimiser.param_groups, stored.record["group"], strict=True):
            group.update(rate)
        self.round, self.best_round = stored.record["round"], stored.record["best_round"]
        self.best_r, self.best_state = np.array(stored.record["best_r"], dtype=np.float64), stored.best
        self.table = stored.record["table"]
        self._write_table()  # a run that was killed may have written the state and not the table

    def train_round(self) -> str:
        """Train one round and keep the best; return a line for the log."""
        began = time.perf_counter()
        loss = self._pass()
        if not np.isfinite(loss):
            raise InputError(f"learning_rate {self.settings.learning_rate:g} is too high: the loss became {loss}")
        speed = self.settings.steps_a_round * self.settings.batch_size / (time.perf_counter() - began)
        found = self.correlations(self.network, self.split.validation, autocast=self.settings.autocast)
        self.round += 1
        mean = self._mean(found)
        if mean > self._mean(self.best_r):
            self.best_round, self.best_r = self.round, found
            self.best_state = _copied(self.network.state_dict())
        rate = float(self.optimiser.param_groups[0]["lr"])
        self.table.append([self.round, loss, mean, rate, speed, *found.tolist()])
        left = (self.settings.rounds - self.round) * (time.perf_counter() - began) / 60
        told = f"loss {loss:.4f}, validation r {mean:.3f}, {speed:.0f} clips/s, at most {left:.0f} min left"
        return f"round {self.round} of {self.settings.rounds}: {told}"

    def _mean(self, r: NDArray[np.float64]) -> float:
        """Mean of ``r`` [n_names] over what is trained."""
        return float(np.nanmean(r[self.trained]))

    def correlations(self, network: EmotionNetwork, chosen: NDArray[np.intp], *, autocast: bool) -> NDArray[np.float64]:
        """Pearson r [n_names] on the ``chosen`` clips, at their middle windows; 0 for a score that does not vary."""
        return heard_r(self.predicted(network, chosen, autocast=autocast), self.labels[chosen])

    def predicted(self, network: EmotionNetwork, chosen: NDArray[np.intp], *, autocast: bool) -> NDArray[np.float32]:
        """Scores [n, n_names] of the ``chosen`` clips, at their middle windows."""
        spectrograms = [self.clips.spectrograms[index] for index in chosen]
        return predict_scores(network, spectrograms, n_frames=self.settings.n_frames, autocast=autocast)

    def _pass(self) -> float:
        """Train one round; return the mean loss."""
        seed = self.settings.seed * 100_003 + self.round
        generator = torch.Generator().manual_seed(seed)
        self.network.train()
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            order = order_of_round(self.units, self.settings, self.round)
            losses = [self._step(np.sort(batch), generator) for batch in order]
        return float(torch.stack(losses).mean())

    def _step(self, batch: NDArray[np.intp], generator: torch.Generator) -> torch.Tensor:
        """One optimiser step on the clips ``batch``; return the loss."""
        images = self._windows(batch, alike(self.couples[batch]), generator)
        labels = torch.from_numpy(self.labels[batch]).float().to(self.device)
        scores = _scores_of(self.network, images, autocast=self.settings.autocast)
        loss = self._loss(scores, labels, couples=self.couples[batch])
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimiser.step()
        self.schedule.step()
        return loss.detach()

    def _loss(self, scores: torch.Tensor, labels: torch.Tensor, *, couples: NDArray[np.intp]) -> torch.Tensor:
        """The variant's loss of a batch, and that of what sets its couples apart."""
        variant = self.settings.variant
        apart = couples_loss(scores, labels, couples, names=self.names, variant=variant)
        return training_loss(scores, labels, names=self.names, variant=variant) + self.settings.couple_weight * apart

    def _windows(self, batch: NDArray[np.intp], same: list[int], generator: torch.Generator) -> torch.Tensor:
        """A window of each clip of ``batch`` at a drawn place, augmented: [n, n_bands, n_frames].

        Clip i has place and augmentation of clip ``same[i]``.
        """
        places, n_frames = torch.rand(len(batch), generator=generator)[same].tolist(), self.settings.n_frames
        windows = [
            window_of(self.clips.spectrograms[index], n_frames=n_frames, place=place)
            for index, place in zip(batch, places, strict=True)
        ]
        return augment(torch.from_numpy(np.stack(windows)).to(self.device).float(), same, generator)

    def write(self) -> None:
        """Write the whole state, then the table of rounds beside it."""
        schedule = {key: value for key, value in self.schedule.state_dict().items() if not callable(value)}
        groups = [
            {key: value for key, value in group.items() if key != "params"} for group in self.optimiser.param_groups
        ]
        record = {
            "identity": self.identity,
            "schedule": schedule,
            "group": groups,
            "round": self.round,
            "best_round": self.best_round,
            "best_r": self.best_r.tolist(),
            "table": self.table,
        }
        moments = optimiser_moments(self.optimiser)
        save_state(self.state_path, FitState(self.network.state_dict(), self.best_state, moments, record))
        self._write_table()

    def _write_table(self) -> None:
        target = self.state_path.with_suffix(".csv")
        with whole_file(target) as partial, partial.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*TABLE, *self.names])
            writer.writerows([[f"{value:.5g}" for value in row] for row in self.table])

    @property
    def seconds(self) -> float:
        """What the training steps of all rounds took."""
        return sum(self.settings.round_clips / row[TABLE.index("clips_per_second")] for row in self.table)

    def best_network(self) -> EmotionNetwork:
        """The network of the best round, in evaluation mode."""
        self.network.load_state_dict(self.best_state)
        return self.network.eval()


def _copied(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _scores_of(network: EmotionNetwork, images: torch.Tensor, *, autocast: bool) -> torch.Tensor:
    """Scores [n, n_names] of images [n, n_bands, n_frames]; only the convolutions are in bfloat16."""
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=autocast):
        features = network.features(images)
    return network.scores_of(features.float())


def _identity(clips: LabelledClips, split: Split, settings: TrainingSettings) -> str:
    """A hash of all that decides what a run comes to: settings, clips, couples, labels and split."""
    found = hashlib.sha256(json.dumps([asdict(settings), clips.names, clips.couples]).encode())
    for array in (clips.labels, split.train, split.validation, split.test):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
