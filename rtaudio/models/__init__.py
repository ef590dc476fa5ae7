"""Model families: functions from sizes to graphs."""

from rtaudio.models.denoiser import RtTcn, rt_tcn
from rtaudio.models.family import Family, find_family
from rtaudio.models.wavenet import Head, LayerArray, wavenet

__all__ = ["Family", "Head", "LayerArray", "RtTcn", "find_family", "rt_tcn", "wavenet"]
