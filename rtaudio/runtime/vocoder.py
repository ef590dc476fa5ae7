"""Vocoder: mel frames in, speech out, as they come."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaudio.dsp.mel import MelStream, convert_mel, mel_spectrogram
from rtaudio.dsp.presets import MEL_PRESETS, MelPreset, find_preset
from rtaudio.errors import MelError, RtaudioError
from rtaudio.graph.layer import FloatArray
from rtaudio.runtime.model import Model, load

DEFAULT_BLOCK_FRAMES = 4  # 46 ms of 22 kHz: how long a cancel() may wait
BLOCKS_A_THREAD = 8  # so many for each of several threads, at once: what keeps them busy
HIGHEST = 12.0  # no preset's logarithms of full-scale audio reach it
SLACK = 0.05


class Vocoder:
    """Speech from mel frames [num_mels, frames] of the model's preset, piece by piece.

        vocoder = rtaudio.Vocoder("rt-wavenet")
        for samples in vocoder.stream(mels):     # float32 (frames,), at vocoder.sample_rate
            play(samples)

    push ... flush, joined, have the bits of vocoder(mel), for any split, and preset.hop samples a
    frame. The same seed gives the same samples. One thread pushes; any thread may cancel.
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        *,
        seed: int = 0,
        block_frames: int | None = None,
        preset: str | MelPreset | None = None,
        steps: int | None = None,
        threads: int = 1,
    ) -> None:
        """`preset`: of a model whose file names none; `steps`: of a diffusion model (None: as the
        file has it). `threads`, up to 64, share the work with the bits of one, where a push brings
        many frames and the model has parts of like cost, as the steps of diffusion are. Raises
        RtaudioError for a model that is no vocoder of its preset, or has no such steps."""
        self.model = model if isinstance(model, Model) else load(model)
        if steps is not None:
            self.model = self.model.with_steps(steps)
        self.preset = model_preset(self.model, preset)
        if block_frames is None:
            many = BLOCKS_A_THREAD * threads if threads > 1 else 1
            block_frames = DEFAULT_BLOCK_FRAMES * many
        if not 1 <= block_frames <= 1 << 16:
            raise RtaudioError(f"a block of {block_frames} frames is not possible; give 1 or more.")
        self.block_frames = block_frames
        self.seed = seed
        self.threads = threads
        self._stream = self.model.stream(channels=self.num_mels, seed=seed, threads=threads)
        self._cancel = threading.Event()

    @property
    def sample_rate(self) -> int:
        return self.preset.sample_rate

    @property
    def hop(self) -> int:
        """Samples a frame."""
        return self.preset.hop

    @property
    def num_mels(self) -> int:
        return self.preset.num_mels

    @property
    def latency_samples(self) -> int:
        """How many samples behind the mel frames push() gives its own: what the model looks
        ahead, and its filters. A frame's hop comes on top where frames come one by one."""
        return self.model.graph.plan.output.delay

    def push(self, mel: NDArray[Any]) -> FloatArray:
        """Takes frames, [num_mels, k] or one frame [num_mels]; returns the samples that are ready.

        Raises MelError for values that are no mel of the preset, StreamError after flush().
        """
        return self._run(self.check(mel))

    def flush(self) -> FloatArray:
        """The last samples; reset() starts anew."""
        return np.empty(0, np.float32) if self._cancel.is_set() else self._stream.flush()[:, 0]

    def reset(self, seed: int | None = None) -> None:
        """Forgets everything; the next speech has this seed (None: the same one again)."""
        self.seed = self.seed if seed is None else seed
        self._stream.reset(seed=self.seed)
        self._cancel.clear()

    def cancel(self) -> None:
        """Nobody wants the rest: a push() under way ends within a block of frames, streams end, and
        until reset() nothing more is made. Any thread may call it."""
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    def __call__(self, mel: NDArray[Any], *, seed: int | None = None) -> FloatArray:
        """The whole of [num_mels, frames]: frames * hop samples. A stream under way is not
        disturbed."""
        other = Vocoder(
            self.model,
            seed=self.seed if seed is None else seed,
            preset=self.preset,
            threads=self.threads,
        )
        return np.concatenate([other.push(mel), other.flush()])

    def stream(
        self, mels: Iterable[NDArray[Any]] | NDArray[Any], *, block_frames: int | None = None
    ) -> Iterator[FloatArray]:
        """Samples of a whole mel, or of chunks of it as an acoustic model gives them, to the end.

        An array is taken `block_frames` at a time. It begins with reset(), and ends early after
        cancel().
        """
        self.reset()
        for mel in self._chunks(mels, block_frames):
            samples = self.push(mel)
            if self.cancelled:
                return
            if samples.size:
                yield samples
        rest = self.flush()
        if rest.size:
            yield rest

    async def stream_async(
        self,
        mels: AsyncIterable[NDArray[Any]] | Iterable[NDArray[Any]] | NDArray[Any],
        *,
        block_frames: int | None = None,
    ) -> AsyncIterator[FloatArray]:
        """stream() for asyncio: the samples are made in a thread, the loop goes on."""
        import asyncio

        self.reset()
        if isinstance(mels, AsyncIterable):
            chunks = mels
        else:
            chunks = _as_async(self._chunks(mels, block_frames))
        async for mel in chunks:
            samples = await asyncio.to_thread(self.push, mel)
            if self.cancelled:
                return
            if samples.size:
                yield samples
        rest = await asyncio.to_thread(self.flush)
        if rest.size:
            yield rest

    def resynthesise(self, x: NDArray[Any]) -> FloatArray:
        """Copy synthesis: the mel of mono audio (frames,) at the vocoder's rate, and back."""
        return self(mel_spectrogram(x, self.preset, dtype=np.float32))

    def live_model(self) -> Model:
        """Audio to audio, the mel made on the way: for Live, and for streams of recordings."""
        from rtaudio.models.copy_synthesis import copy_synthesis

        graph, tensors = copy_synthesis(self.model.graph, self.model.tensors, self.preset)
        model = self.model
        return Model.from_graph(graph, tensors, model.name, model.precision, model.device)

    def mel_stream(self) -> MelStream:
        """Audio to the vocoder's own mels, piece by piece."""
        return MelStream(self.preset, dtype=np.float32)

    def check(self, mel: NDArray[Any]) -> FloatArray:
        """The frames as float32 [num_mels, k]. Raises MelError for what is no mel of the preset."""
        mel = np.asarray(mel)
        if mel.ndim == 1 and mel.shape[0] == self.num_mels:
            mel = mel[:, None]
        if mel.dtype.kind not in "fiu":
            raise MelError(f"a mel holds numbers, not {mel.dtype}.")
        self.check_shape(mel.shape)
        mel = mel.astype(np.float32)
        if not np.isfinite(mel).all():
            raise MelError("the mel holds NaN or infinite values; see what made it.")
        if mel.size:
            self._check_range(float(mel.min()), float(mel.max()))
        return mel

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raises MelError for another one than [num_mels, k], or [num_mels]."""
        if shape[:1] == (self.num_mels,) and len(shape) <= 2:
            return
        wanted = f"{self.model.name} takes a mel of {self.preset.name}, [{self.num_mels}, frames]"
        if len(shape) == 2 and shape[1] == self.num_mels:
            raise MelError(f"{wanted}, not {shape}: it is transposed; give mel.T.")
        count = shape[0] if shape else 0
        others = [p.name for p in MEL_PRESETS.values() if p.num_mels == count]
        hint = f" (so many mels have {', '.join(others)})" if len(shape) == 2 and others else ""
        raise MelError(f"{wanted}, not {shape}{hint}.")

    def _check_range(self, low: float, high: float) -> None:
        least = quietest(self.preset)
        most = 1.0 if self.preset.clip else HIGHEST
        if low < least - SLACK or high > most + SLACK:
            raise MelError(
                f"values from {low:.4g} to {high:.4g} are no mel of {self.preset.name}, which "
                f"lies between {least:.4g} and {most:g}; name the preset they are of, and they "
                "are converted if they can be."
            )

    def _run(self, mel: FloatArray) -> FloatArray:
        parts = []
        for begin in range(0, mel.shape[1], self.block_frames):
            if self._cancel.is_set():
                break
            block = mel[:, begin : begin + self.block_frames]
            parts.append(self._stream.push(np.ascontiguousarray(block.T))[:, 0])
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _chunks(
        self, mels: Iterable[NDArray[Any]] | NDArray[Any], block_frames: int | None
    ) -> Iterator[NDArray[Any]]:
        if not isinstance(mels, np.ndarray):
            yield from mels
            return
        mel, count = self.check(mels), block_frames or self.block_frames
        for begin in range(0, mel.shape[1], count):
            yield mel[:, begin : begin + count]


def model_preset(model: Model, preset: str | MelPreset | None = None) -> MelPreset:
    """The preset whose mels a model takes. Raises RtaudioError for a model that is no vocoder."""
    wanted = preset or model.metadata.get("mel_preset")
    if not wanted:
        raise RtaudioError(
            f"model {model.name!r} is no vocoder: its file names no mel preset; name a vocoder."
        )
    preset = find_preset(wanted)
    name, graph = preset.name, model.graph
    if graph.input.channels != preset.num_mels or graph.output.channels != 1:
        raise RtaudioError(
            f"model {model.name!r} turns {graph.input.channels} channels into "
            f"{graph.output.channels}, and not mels of {name} into speech; export it again."
        )
    if model.output_ratio != preset.hop:
        raise RtaudioError(
            f"model {model.name!r} makes {model.output_ratio} samples a frame, and {name} has a "
            f"hop of {preset.hop}; export it again."
        )
    return preset


def quietest(preset: MelPreset) -> float:
    """The least value a mel of the preset can have: that of silence."""
    silence = np.full((preset.num_mels, 1), -1e9)
    return float(convert_mel(silence, preset, preset).min())


def to_int16(samples: FloatArray) -> NDArray[np.int16]:
    """Float samples as 16-bit ones, rounded; what is beyond full scale is clipped."""
    return np.round(np.clip(samples, -1.0, 32767 / 32768) * 32768).astype(np.int16)


async def _as_async(chunks: Iterable[NDArray[Any]]) -> AsyncIterator[NDArray[Any]]:
    for chunk in chunks:
        yield chunk
