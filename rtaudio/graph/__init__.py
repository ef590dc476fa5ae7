"""What a model is: layers as frozen dataclasses, ports, the plan, the program, the model file."""

from rtaudio.graph.arrange import BandUnfold, Permute, Tile
from rtaudio.graph.band_recurrent import BandRNN, BandScan
from rtaudio.graph.chain import Chain
from rtaudio.graph.composite import Merge, Residual, Serial
from rtaudio.graph.conditioned import ConditionedNet, ConditionedStack
from rtaudio.graph.conv import Conv1d, ConvTranspose1d, GatedStack, Linear, Tail
from rtaudio.graph.conv2d import BandMean, Conv2d, ConvTranspose2d
from rtaudio.graph.cumulative import CumulativeNorm, WindowAttention
from rtaudio.graph.diffwave import DiffWave
from rtaudio.graph.feedback import Feedback
from rtaudio.graph.file import ModelFile, load_model_file, save_model
from rtaudio.graph.graph import ConstantPort, ControlPort, Graph, StreamPort
from rtaudio.graph.heads import Embedding, Head, Mixture, MuLawSoftmax, Sampler
from rtaudio.graph.layer import Layer
from rtaudio.graph.noise import FilteredNoise, Noise, NoiseLevel, NoiseSpectrum
from rtaudio.graph.oscillator import PulseTrain
from rtaudio.graph.plan import Plan, plan
from rtaudio.graph.pointwise import (
    Activation,
    BatchNorm,
    Blend,
    Channels,
    Gate,
    LayerNorm,
    Modulate,
    PReLU,
    WithConstant,
)
from rtaudio.graph.program import Program, lower
from rtaudio.graph.recurrent import GRU, LSTM, RNN, BidirectionalRNN, MeanSubtract
from rtaudio.graph.refine import Refine
from rtaudio.graph.resample import Pool, Unpool, Upsample
from rtaudio.graph.serialize import graph_from_json, graph_to_json
from rtaudio.graph.spectral import (
    ISTFT,
    STFT,
    BandFilter,
    CentredISTFT,
    Cepstrum,
    ComplexCompress,
    ComplexGain,
    ComplexPower,
    DeepFilter,
    HopISTFT,
    MinimumPhase,
)

__all__ = [
    "GRU",
    "ISTFT",
    "LSTM",
    "RNN",
    "STFT",
    "Activation",
    "BandFilter",
    "BandMean",
    "BandRNN",
    "BandScan",
    "BandUnfold",
    "BatchNorm",
    "BidirectionalRNN",
    "Blend",
    "CentredISTFT",
    "Cepstrum",
    "Chain",
    "Channels",
    "ComplexCompress",
    "ComplexGain",
    "ComplexPower",
    "ConditionedNet",
    "ConditionedStack",
    "ConstantPort",
    "ControlPort",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CumulativeNorm",
    "DeepFilter",
    "DiffWave",
    "Embedding",
    "Feedback",
    "FilteredNoise",
    "Gate",
    "GatedStack",
    "Graph",
    "Head",
    "HopISTFT",
    "Layer",
    "LayerNorm",
    "Linear",
    "MeanSubtract",
    "Merge",
    "MinimumPhase",
    "Mixture",
    "ModelFile",
    "Modulate",
    "MuLawSoftmax",
    "Noise",
    "NoiseLevel",
    "NoiseSpectrum",
    "PReLU",
    "Permute",
    "Plan",
    "Pool",
    "Program",
    "PulseTrain",
    "Refine",
    "Residual",
    "Sampler",
    "Serial",
    "StreamPort",
    "Tail",
    "Tile",
    "Unpool",
    "Upsample",
    "WindowAttention",
    "WithConstant",
    "graph_from_json",
    "graph_to_json",
    "load_model_file",
    "lower",
    "plan",
    "save_model",
]
