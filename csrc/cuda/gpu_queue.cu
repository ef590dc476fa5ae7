#include <algorithm>

#include "cuda/memory.cuh"
#include "cuda/queue.h"

namespace rtaudio::gpu {
namespace {

constexpr int kThreads = 128;
// Of a graph. Loops that make more in a call are launched work by work: a graph of so many nodes
// takes long to make and saves little of it.
constexpr std::int64_t kMostLaunches = 20'000;

template <class W>
__global__ void __launch_bounds__(kThreads, 1) run_items(const W work, int ticks) {
  const std::int64_t item = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (item < items_of(work, ticks)) do_item(work, static_cast<int>(item), ticks);
}
template <class W>
__global__ void __launch_bounds__(W::kTeam, 1) run_team(const W work, int ticks) {
  const int phases = work.phases(ticks);
  for (int phase = 0; phase < phases; ++phase) {
    if (phase > 0) __syncthreads();
    work(static_cast<int>(blockIdx.x), phase, static_cast<int>(threadIdx.x), ticks);
  }
}

template <class W>
void launch(const W& work, int ticks, cudaStream_t stream) {
  if constexpr (launches_itself<W>) {
    work.launch(ticks, stream);
  } else if constexpr (is_team<W>) {
    const auto teams = static_cast<unsigned>(work.teams(ticks));
    if (teams > 0) run_team<<<teams, W::kTeam, 0, stream>>>(work, ticks);
  } else {
    const auto blocks = static_cast<unsigned>((items_of(work, ticks) + kThreads - 1) / kThreads);
    if (blocks > 0) run_items<<<blocks, kThreads, 0, stream>>>(work, ticks);
  }
}

void launch_all(const Program& program, int ticks, cudaStream_t stream) {
  for (const Section& section : program.sections) {
    const int each = section.ticks_each(ticks);
    for (int i = 0; i < section.rounds(ticks); ++i) {
      for (const Work& work : section.works) {
        std::visit([&](const auto& w) { launch(w, each, stream); }, work);
      }
    }
  }
  check_cuda(cudaGetLastError(), "run a network");
}

class GpuQueue final : public Queue {
 public:
  GpuQueue() {
    check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "make a stream");
    check_cuda(cudaEventCreateWithFlags(&taken_, cudaEventDisableTiming), "make an event");
  }
  ~GpuQueue() override {
    cudaStreamSynchronize(stream_);
    for (cudaGraphExec_t graph : {ready_, ready_on_device_}) {
      if (graph != nullptr) cudaGraphExecDestroy(graph);
    }
    cudaEventDestroy(taken_);
    cudaStreamDestroy(stream_);
  }

  std::shared_ptr<char> allocate(std::size_t bytes) override {
    std::shared_ptr<char> memory = allocate_on_device(bytes);
    check_cuda(cudaMemsetAsync(memory.get(), 0, bytes, stream_), "be cleared");
    check_cuda(cudaStreamSynchronize(stream_), "be cleared");
    return memory;
  }
  std::shared_ptr<char> allocate_pinned(std::size_t bytes) override {
    return allocate_on_host(bytes);
  }
  void write(void* to, const void* from, std::size_t bytes) override {
    // From pageable memory, of which CUDA has a copy of its own when this returns.
    check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_), "take a state");
  }
  void finish() override { check_cuda(cudaStreamSynchronize(stream_), "take a state"); }
  void read(void* to, const void* from, std::size_t bytes) override {
    check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_), "give a state");
    check_cuda(cudaStreamSynchronize(stream_), "give a state");
  }
  void forget(char*, std::size_t) override {}

  void prepare(const Program& program, const Exchange& exchange, int ticks) override {
    std::int64_t launches = 0;
    for (const Section& section : program.sections) {
      launches += static_cast<std::int64_t>(section.works.size()) * section.rounds(ticks);
    }
    if (launches > kMostLaunches) return;
    ready_ = capture(program, exchange, ticks, true);
    ready_on_device_ = capture(program, exchange, ticks, false);
    ready_ticks_ = ticks;
  }

  void call(const Program& program, const Exchange& exchange, int ticks) override {
    start(ready_, stream_, program, exchange, ticks, true);
    check_cuda(cudaStreamSynchronize(stream_), "run a network");
  }
  void call_on(void* stream, const Program& program, const Exchange& exchange, int ticks) override {
    const auto theirs = static_cast<cudaStream_t>(stream);
    // The call before may have been on another stream.
    check_cuda(cudaStreamWaitEvent(theirs, taken_, 0), "run a network");
    start(ready_on_device_, theirs, program, exchange, ticks, false);
    // States are this queue's to write, settings the host's: after what their stream does here.
    check_cuda(cudaEventRecord(taken_, theirs), "run a network");
    check_cuda(cudaStreamWaitEvent(stream_, taken_, 0), "run a network");
  }
  void wait() override { check_cuda(cudaEventSynchronize(taken_), "run a network"); }

 private:
  cudaGraphExec_t capture(const Program& program, const Exchange& exchange, int ticks, bool back) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t ready = nullptr;
    check_cuda(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "record a call");
    enqueue(stream_, program, exchange, ticks, back);
    check_cuda(cudaStreamEndCapture(stream_, &graph), "record a call");
    const cudaError_t error = cudaGraphInstantiate(&ready, graph, 0);
    cudaGraphDestroy(graph);
    check_cuda(error, "prepare a call");
    return ready;
  }
  void start(cudaGraphExec_t ready, cudaStream_t stream, const Program& program,
             const Exchange& exchange, int ticks, bool back) {
    if (ready != nullptr && ticks == ready_ticks_) {
      check_cuda(cudaGraphLaunch(ready, stream), "run a network");
    } else {
      enqueue(stream, program, exchange, ticks, back);
    }
  }
  static void enqueue(cudaStream_t stream, const Program& program, const Exchange& exchange,
                      int ticks, bool back) {
    check_cuda(cudaMemcpyAsync(exchange.device, exchange.host, exchange.in_bytes,
                               cudaMemcpyHostToDevice, stream),
               "take signals");
    launch_all(program, ticks, stream);
    if (!back) return;
    check_cuda(
        cudaMemcpyAsync(exchange.host + exchange.out_offset, exchange.device + exchange.out_offset,
                        exchange.out_bytes, cudaMemcpyDeviceToHost, stream),
        "give signals");
  }

  cudaStream_t stream_ = nullptr;
  cudaEvent_t taken_ = nullptr;
  cudaGraphExec_t ready_ = nullptr, ready_on_device_ = nullptr;
  int ready_ticks_ = 0;
};

}  // namespace

std::unique_ptr<Queue> make_gpu_queue() { return std::make_unique<GpuQueue>(); }

}  // namespace rtaudio::gpu
