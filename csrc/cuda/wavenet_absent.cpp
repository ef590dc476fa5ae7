// Compiled in place of wavenet.cu and gpu_queue.cu when there is no CUDA compiler. A file of its
// own, so that tests can have a GPU that is emulated.
#include <stdexcept>

#include "cuda/queue.h"
#include "cuda/wavenet.h"

namespace rtaudio {
namespace {

constexpr const char* kReason = "the GPU could not be used: built without CUDA";

}  // namespace

std::unique_ptr<gpu::Queue> gpu::make_gpu_queue() { throw std::runtime_error(kReason); }

namespace wavenet {

struct Gpu::Parts {};
Gpu::Gpu(const Weights&, bool) { throw std::runtime_error(kReason); }
Gpu::~Gpu() = default;
const Net& Gpu::net() const { throw std::runtime_error(kReason); }
std::int64_t Gpu::ring_floats() const { throw std::runtime_error(kReason); }
std::size_t Gpu::mail_bytes(int) const { throw std::runtime_error(kReason); }
void Gpu::launch(const Call&, char*, void*) const { throw std::runtime_error(kReason); }

}  // namespace wavenet
}  // namespace rtaudio
