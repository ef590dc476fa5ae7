"""Networks that others trained, from the files that their packages carry.

A new one is a graph in rtaudio/models, a module here with an Importer, and its line in IMPORTERS.
"""

from rtaudio.models.importers.dfn3 import DFN3
from rtaudio.models.importers.dtln import DTLN
from rtaudio.models.importers.gtcrn import GTCRN
from rtaudio.models.importers.importer import Imported, Importer
from rtaudio.models.importers.nam import read_nam
from rtaudio.models.importers.onnx_file import OnnxFile, read_onnx
from rtaudio.models.importers.reading import digest
from rtaudio.models.importers.recognise import find_importer
from rtaudio.models.importers.silero_vad import SILERO_VAD

IMPORTERS: dict[str, Importer] = {each.name: each for each in (DTLN, GTCRN, DFN3, SILERO_VAD)}

__all__ = [
    "IMPORTERS",
    "Imported",
    "Importer",
    "OnnxFile",
    "digest",
    "find_importer",
    "read_nam",
    "read_onnx",
]
