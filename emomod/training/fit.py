"""Train the network's mid-level part on a corpus; its emotions are the published linear layer on top.

The corpus is split 80/10/10 by clip into training, validation and test. The weights of the epoch with the best mean
Pearson r on validation are kept. After each epoch the whole state goes to disk, so that a stopped run goes on.
"""

import csv
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from emomod.checks import check_count, check_number
from emomod.corpus.render import Corpus
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.model.network import EmotionNetwork
from emomod.training.augmentation import augment
from emomod.training.fit_state import FitState, load_state, optimiser_moments, restore_moments, save_state

Log = Callable[[str], None]


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained."""

    width: float = 0.5
    epochs: int = 12
    seed: int = 0
    batch_size: int = 16
    learning_rate: float = 2e-3  # the highest of a one-cycle schedule
    weight_decay: float = 1e-2
    dropout: float = 0.1
    patience: int = 8  # epochs without a better validation r before it stops
    autocast: bool = True  # bfloat16

    def __post_init__(self) -> None:
        check_number("width", self.width, low=0.01, high=4.0)
        check_count("epochs", self.epochs)
        check_count("seed", self.seed, low=0)
        check_count("batch_size", self.batch_size, low=2)
        check_number("learning_rate", self.learning_rate, low=1e-7, high=1.0)
        check_number("weight_decay", self.weight_decay, low=0.0, high=10.0)
        check_number("dropout", self.dropout, low=0.0, high=0.9)
        check_count("patience", self.patience)


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of the clips for each purpose."""

    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Fit:
    """What training gives."""

    network: EmotionNetwork  # of the best epoch, in evaluation mode
    best_epoch: int
    validation_r: NDArray[np.float64]  # [7]
    test_r: NDArray[np.float64]  # [7]


def split_clips(n_clips: int, *, seed: int) -> Split:
    """Split clips 80/10/10 at random; fewer than 10 clips raise InputError."""
    check_count("number of clips", n_clips, low=10)
    order, tenth = np.random.default_rng(seed).permutation(n_clips), n_clips // 10
    return Split(order[2 * tenth :], order[:tenth], order[tenth : 2 * tenth])


def new_network(settings: TrainingSettings) -> EmotionNetwork:
    """A network drawn from the settings' seed, its emotion layer set to the published one and frozen."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = EmotionNetwork("a2mid2e", width=settings.width, dropout=settings.dropout)
    layer, published = network.emotion, published_layer()
    if layer is None:
        raise InputError("the network must have two levels")
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(published.weights))
        layer.bias.copy_(torch.from_numpy(published.intercepts))
        network.head.bias.fill_(0.5)
    layer.requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def pearson_r(predicted: NDArray[np.floating], labels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pearson r of each column [7] of ``predicted`` and ``labels`` [n, 7]; 0 where a column does not vary."""
    a, b = (np.asarray(values, dtype=np.float64) - np.mean(values, axis=0) for values in (predicted, labels))
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    r: NDArray[np.float64] = np.divide((a * b).sum(axis=0), scale, out=np.zeros(a.shape[1]), where=scale > 1e-12)
    return r


def predict_midlevel(network: EmotionNetwork, spectrograms: NDArray[np.floating]) -> NDArray[np.float32]:
    """Mid-level scores [n, 7] of log spectrograms [n, n_bands, n_frames]."""
    return predict_scores(network, spectrograms)[:, : len(MIDLEVEL_NAMES)]


@torch.inference_mode()
def predict_scores(
    network: EmotionNetwork, spectrograms: NDArray[np.floating], *, batch_size: int = 16
) -> NDArray[np.float32]:
    """Scores [n, n_names] of log spectrograms [n, n_bands, n_frames], in float32."""
    network.eval()
    batches = np.array_split(spectrograms, max(1, -(-len(spectrograms) // batch_size)))
    scores = [network(torch.from_numpy(batch.astype(np.float32))) for batch in batches]
    return np.asarray(torch.cat(scores).numpy())


def fit_network(corpus: Corpus, settings: TrainingSettings, *, state_path: Path, log: Log = lambda _: None) -> Fit:
    """Train on ``corpus``; the state stays in ``state_path``, a table of epochs beside it (.csv)."""
    split = split_clips(len(corpus.labels), seed=settings.seed)
    run = _Run(corpus, split, settings, state_path)
    run.resume()
    while run.epoch < settings.epochs and run.epoch - run.best_epoch < settings.patience:
        log(run.train_epoch())
    network = run.best_network()
    predicted = predict_midlevel(network, corpus.spectrograms[split.test])
    return Fit(network, run.best_epoch, run.best_r, pearson_r(predicted, corpus.labels[split.test]))


class _Run:
    """The moving parts of a training run."""

    def __init__(self, corpus: Corpus, split: Split, settings: TrainingSettings, state_path: Path) -> None:
        self.corpus, self.split, self.settings, self.state_path = corpus, split, settings, state_path
        self.network = new_network(settings)
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        self.n_batches = max(1, len(split.train) // settings.batch_size)
        total = settings.epochs * self.n_batches
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, max_lr=settings.learning_rate, total_steps=total + 1, pct_start=0.25
        )
        self.epoch, self.best_epoch, self.best_r = 0, 0, np.full(len(MIDLEVEL_NAMES), -1.0)
        self.best_state = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.table: list[list[float]] = []

    def resume(self) -> None:
        """Go on from the state on disk, if there is one of the same settings."""
        if not self.state_path.is_file():
            return
        stored = load_state(self.state_path)
        if stored.record.get("settings") != asdict(self.settings):
            raise InputError(f"{self.state_path}: belongs to a run with other settings; remove it to start anew")
        self.network.load_state_dict(stored.network)
        restore_moments(self.optimiser, stored.moments)
        self.schedule.load_state_dict(stored.record["schedule"])
        for group, rate in zip(self.optimiser.param_groups, stored.record["group"], strict=True):
            group.update(rate)
        self.epoch, self.best_epoch = stored.record["epoch"], stored.record["best_epoch"]
        self.best_r, self.best_state = np.array(stored.record["best_r"]), stored.best
        self.table = stored.record["table"]

    def train_epoch(self) -> str:
        """Train one epoch, keep the best, write the state; return a line for the log."""
        loss = self._pass_over_training()
        predicted = predict_midlevel(self.network, self.corpus.spectrograms[self.split.validation])
        found = pearson_r(predicted, self.corpus.labels[self.split.validation])
        self.epoch += 1
        if found.mean() > self.best_r.mean():
            self.best_epoch, self.best_r = self.epoch, found
            self.best_state = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.table.append([self.epoch, loss, float(found.mean()), *found.tolist()])
        self._write()
        return f"epoch {self.epoch} of {self.settings.epochs}: loss {loss:.4f}, validation r {found.mean():.3f}"

    def _pass_over_training(self) -> float:
        seed = self.settings.seed * 100_003 + self.epoch
        generator = torch.Generator().manual_seed(seed)
        order = self.split.train[torch.randperm(len(self.split.train), generator=generator).numpy()]
        self.network.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            losses = [self._step(np.sort(batch), generator) for batch in np.array_split(order, self.n_batches)]
        return float(np.mean(losses))

    def _step(self, batch: NDArray[np.intp], generator: torch.Generator) -> float:
        spectrograms = augment(torch.from_numpy(self.corpus.spectrograms[batch].astype(np.float32)), generator)
        labels = torch.from_numpy(self.corpus.labels[batch]).float()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.settings.autocast):
            scores = self.network(spectrograms)[:, : labels.shape[1]]
        loss = nn.functional.mse_loss(scores.float(), labels)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimiser.step()
        self.schedule.step()
        return float(loss.detach())

    def _write(self) -> None:
        """The whole state, then the table of epochs beside it."""
        schedule = {key: value for key, value in self.schedule.state_dict().items() if not callable(value)}
        groups = [
            {key: value for key, value in group.items() if key != "params"} for group in self.optimiser.param_groups
        ]
        record = {
            "settings": asdict(self.settings),
            "schedule": schedule,
            "group": groups,
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "best_r": self.best_r.tolist(),
            "table": self.table,
        }
        moments = optimiser_moments(self.optimiser)
        save_state(self.state_path, FitState(self.network.state_dict(), self.best_state, moments, record))
        with self.state_path.with_suffix(".csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", "loss", "mean_r", *MIDLEVEL_NAMES])
            writer.writerows([[f"{value:.5g}" for value in row] for row in self.table])

    def best_network(self) -> EmotionNetwork:
        """The network of the best epoch, in evaluation mode."""
        self.network.load_state_dict(self.best_state)
        return self.network.eval()
