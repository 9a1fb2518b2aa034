"""The network of a Piper voice: trained and exported by Piper's own code. Needs the extra voice-train.

Piper's wheel has that code (`piper.train`) without the compiled search for alignments; the package
monotonic-alignment-search has the one of Glow-TTS, which is the same with its two axes exchanged.
"""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from voicebot.errors import VoicebotError
from voicebot.voice.training.dataset import Quality

try:
    import lightning
    import monotonic_alignment_search
    import torch
    from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint
    from lightning.pytorch.loggers import CSVLogger
    from piper.train import export_onnx
    from piper.train.vits.dataset import VitsDataModule
    from piper.train.vits.lightning import VitsModel
except ModuleNotFoundError as error:
    raise VoicebotError(f"{error.name} is missing, which trains a voice: pip install -e '.[voice-train]'.") from None


def maximum_path(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The likeliest way through each text: shapes (batch, frames, symbols), ones where a frame sounds a symbol."""
    path = monotonic_alignment_search.maximum_path(*(x.transpose(1, 2).contiguous() for x in (scores, mask)))
    return path.transpose(1, 2)


sys.modules["piper.train.vits.monotonic_align"] = SimpleNamespace(maximum_path=maximum_path)


def train(
    dataset: Path,
    work: Path,
    quality: Quality,
    *,
    steps: int,
    batch: int,
    every: int,
    seed: int,
    jobs: int,
    minutes: float | None,
) -> int:
    """Train, from the last checkpoint if there is one, on the accelerator if there is one.

    Args:
        dataset: folder with `metadata.csv` and `wavs/`.
        work: folder of the checkpoint `last.ckpt`, of the losses (CSV) and of Piper's own cache.
        quality: the size of the network.
        steps: batches in all, those before an interruption counted in.
        batch: utterances in a batch.
        every: batches between two checkpoints.
        seed: of the weights, the split and the order.
        jobs: processes that read.
        minutes: after which to stop with a checkpoint; None for never.

    Returns:
        Batches done in all.
    """
    lightning.seed_everything(seed, workers=True)
    torch.set_float32_matmul_precision("high")
    last, deadline = work / "last.ckpt", time.monotonic() + 60 * (minutes or float("inf"))

    def stop_in_time(trainer: lightning.Trainer, *_: object) -> None:
        trainer.should_stop = trainer.should_stop or time.monotonic() > deadline

    trainer = lightning.Trainer(
        max_steps=2 * steps,  # both optimisers' steps are counted
        callbacks=[
            ModelCheckpoint(work, "last", every_n_train_steps=2 * every, enable_version_counter=False),
            LambdaCallback(on_train_batch_end=stop_in_time),
        ],
        logger=CSVLogger(work, "losses"),
        devices=1,
        num_sanity_val_steps=0,
        log_every_n_steps=1 if steps < 100 else 50,
    )
    data = VitsDataModule(
        csv_path=dataset / "metadata.csv",
        cache_dir=work / "cache",
        espeak_voice="bg",
        config_path=work / "config.json",
        voice_name="bg",
        sample_rate=quality.rate_hz,
        audio_dir=dataset / "wavs",
        batch_size=batch,
        validation_split=0.02,
        num_test_examples=0,
        num_workers=jobs,
        keep_seconds_before_silence=0.1,
        keep_seconds_after_silence=0.2,
    )
    network = VitsModel(
        batch_size=batch,
        sample_rate=quality.rate_hz,
        inter_channels=quality.channels,
        hidden_channels=quality.channels,
        filter_channels=quality.filter_channels,
        mos_metric=None,  # it would be fetched from the network
    )
    trainer.fit(network, data, ckpt_path=last if last.exists() else None, weights_only=False)
    trainer.save_checkpoint(last)
    return trainer.global_step // 2


def export(work: Path, target: Path) -> int:
    """Write the voice's `.onnx` file, with its configuration beside it, from the last checkpoint, on the CPU.

    Args:
        work: where `train` worked.
        target: the `.onnx` file.

    Returns:
        Batches by which the network was trained.
    """
    partial_file = target.with_suffix(".part")
    arguments = ["export_onnx", "--checkpoint", str(work / "last.ckpt"), "--output-file", str(partial_file)]
    # Piper's program calls the exporter of TorchScript, which newer torch wants asked for.
    with (
        mock.patch.object(sys, "argv", arguments),
        mock.patch.object(torch.onnx, "export", partial(torch.onnx.export, dynamo=False)),
    ):
        export_onnx.main()
    config = json.loads((work / "config.json").read_text(encoding="utf-8"))
    config |= {"language": {"code": "bg_BG", "family": "bg"}, "stress_marks": True}
    content = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
    target.with_name(target.name + ".json").write_text(content, encoding="utf-8")
    os.replace(partial_file, target)
    return int(torch.load(work / "last.ckpt", map_location="cpu", weights_only=False)["global_step"]) // 2
