// Noise and the update of diffusion on a GPU: core/refine.h's items, one a thread.
#pragma once

#include <cstdint>

#include "core/refine.h"

namespace rtaudio {

// Queued on the CUDA stream `queue`; the arrays are on its device. Throws std::runtime_error where
// it cannot be.
void run_on_device(const refine::Draws& job, std::uintptr_t queue);
void run_on_device(const refine::Updates& job, std::uintptr_t queue);

}  // namespace rtaudio
