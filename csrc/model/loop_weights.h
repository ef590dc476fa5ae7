// A feedback loop's network in the form that one kernel can run, where it has that form.
#pragma once

#include "cuda/wavenet_pack.h"
#include "model/layer.h"

namespace rtaudio {

// Views the tensors of a loop's WaveNet. Throws std::invalid_argument, a sentence, for a body that
// is not [embedding or matrix of the value before; condition] -> one conditioned gated stack ->
// relu and matrix, at least once.
wavenet::Weights loop_weights(const LayerContext& feedback);
// Whether it is.
bool has_wavenet(const LayerContext& feedback);

}  // namespace rtaudio
