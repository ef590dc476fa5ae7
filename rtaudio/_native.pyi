"""
The native engine of rtaudio.
"""

from __future__ import annotations

__all__: list[str] = ["CudaDevice", "CudaReport", "cpu_level", "query_cuda", "supported_cpu_levels"]

class CudaDevice:
    """
    One CUDA device.
    """
    @property
    def compute_major(self) -> int: ...
    @property
    def compute_minor(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def num_multiprocessors(self) -> int: ...

class CudaReport:
    """
    The CUDA devices, or why there are none.
    """
    @property
    def devices(self) -> list[CudaDevice]: ...
    @property
    def driver_version(self) -> str: ...
    @property
    def reason(self) -> str:
        """
        A sentence when `devices` is empty.
        """
    @property
    def runtime_version(self) -> str: ...

def cpu_level() -> str:
    """
    The level in use: the highest, or the one RTAUDIO_CPU_ISA forces. RuntimeError if that level is unknown or the processor lacks it.
    """

def query_cuda() -> CudaReport:
    """
    Ask the CUDA runtime which devices there are.
    """

def supported_cpu_levels() -> list[str]:
    """
    The instruction-set levels this processor can run, lowest first.
    """

__version__: str = "0.1.0"
