// Compiled in place of the *.cu files when there is no CUDA compiler.
#include <stdexcept>

#include "cuda/device.h"
#include "cuda/diffusion.h"

namespace rtaudio {
namespace {

constexpr const char* kReason = "built without CUDA";

[[noreturn]] void refuse() {
  throw std::runtime_error("the GPU could not be used: " + std::string(kReason));
}

}  // namespace

CudaReport query_cuda() {
  return {.devices = {}, .reason = kReason, .runtime_version = {}, .driver_version = {}};
}

void run_on_device(const refine::Draws&, std::uintptr_t) { refuse(); }
void run_on_device(const refine::Updates&, std::uintptr_t) { refuse(); }

}  // namespace rtaudio
