#include "cuda/diffusion.h"

#include <algorithm>

#include "cuda/error.h"

namespace rtaudio {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostBlocks = 4096;  // their threads take the rest in turns

template <class Job>
__global__ void __launch_bounds__(kThreads) run_all(const Job job) {
  refine::run_items(job, std::int64_t{blockIdx.x} * kThreads + threadIdx.x,
                    std::int64_t{gridDim.x} * kThreads);
}

template <class Job>
void launch(const Job& job, std::uintptr_t queue) {
  const std::int64_t count = job.items.count();
  if (count == 0) return;
  const auto blocks =
      static_cast<unsigned>(std::min((count + kThreads - 1) / kThreads, kMostBlocks));
  run_all<<<blocks, kThreads, 0, reinterpret_cast<cudaStream_t>(queue)>>>(job);
  check_cuda(cudaGetLastError(), "run a step of diffusion");
}

}  // namespace

void run_on_device(const refine::Draws& job, std::uintptr_t queue) { launch(job, queue); }
void run_on_device(const refine::Updates& job, std::uintptr_t queue) { launch(job, queue); }

}  // namespace rtaudio
