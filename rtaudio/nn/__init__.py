"""Graphs in torch: training, and the float64 oracle of every test."""

from rtaudio.nn.net import Net
from rtaudio.nn.stepper import Stepper

__all__ = ["Net", "Stepper"]
