// Compiled in place of wavenet.cu when there is no CUDA compiler. A file of its own, so that tests
// can have a GPU that is emulated.
#include <stdexcept>

#include "cuda/wavenet.h"

namespace rtaudio::wavenet {
namespace {

constexpr const char* kReason = "the GPU could not be used: built without CUDA";

}  // namespace

struct Gpu::Parts {};
Gpu::Gpu(const Weights&, bool) { throw std::runtime_error(kReason); }
Gpu::~Gpu() = default;
const Net& Gpu::net() const { throw std::runtime_error(kReason); }
std::int64_t Gpu::ring_floats() const { throw std::runtime_error(kReason); }
bool Gpu::run(const HostCall&) noexcept { return false; }
std::string Gpu::fault() const { return kReason; }

}  // namespace rtaudio::wavenet
