// The interpolating filter of live sound's resamplers.
#pragma once

namespace rtaudio {

// Samples of the lower rate that the filter reaches to each side.
constexpr int kSincHalfWidth = 23;

// A sinc under a Kaiser window, `t` in samples of the lower rate. Up to 0.9 of the lower rate's
// half: +-0.1 dB; from 1.1 of it on: -80 dB.
double windowed_sinc(double t);

}  // namespace rtaudio
