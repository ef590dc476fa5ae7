"""The runners behind `rtaudio bench`: speed, beside peers, with the distance to the hardware."""
