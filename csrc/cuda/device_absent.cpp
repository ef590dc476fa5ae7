// Compiled in place of device.cu when there is no CUDA compiler.
#include "cuda/device.h"

namespace rtaudio {

CudaReport query_cuda() {
  return {
      .devices = {}, .reason = "built without CUDA", .runtime_version = {}, .driver_version = {}};
}

}  // namespace rtaudio
