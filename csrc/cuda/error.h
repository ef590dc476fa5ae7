// CUDA's errors as exceptions.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

#include "cuda/device.h"

namespace rtaudio {

// Throws std::runtime_error: what was tried, and why there is no GPU where there is none.
inline void check_cuda(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  const std::string reason = query_cuda().reason;
  throw std::runtime_error("the GPU could not " + std::string(what) + ": " +
                           (reason.empty() ? cudaGetErrorString(error) : reason));
}

}  // namespace rtaudio
