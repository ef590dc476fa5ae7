"""Graphs in torch: training, and the float64 oracle of every test."""

from rtaudio.nn.feedback import Loop
from rtaudio.nn.heads import log_probability
from rtaudio.nn.net import Net
from rtaudio.nn.stepper import Stepper

__all__ = ["Loop", "Net", "Stepper", "log_probability"]
