"""Model families: functions from sizes to graphs."""

from rtaudio.models.denoiser import RtTcn, rt_tcn
from rtaudio.models.family import Family, find_family

__all__ = ["Family", "RtTcn", "find_family", "rt_tcn"]
