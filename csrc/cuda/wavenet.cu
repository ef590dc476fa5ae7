#include "cuda/wavenet.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <stdexcept>

#include "cuda/memory.cuh"
#include "cuda/wavenet_kernel.cuh"

namespace rtaudio::wavenet {
namespace {

constexpr int kMostBlocks = 8;  // a cluster that every GPU with clusters can have

// How the blocks of a network reach one another, and how many groups of them run at once.
struct Way {
  bool cluster;
  int blocks;
  int groups;
};

const void* kernel_of(bool cluster) {
  return cluster ? reinterpret_cast<const void*>(&run_wavenet<true>)
                 : reinterpret_cast<const void*>(&run_wavenet<false>);
}

struct Config {
  cudaLaunchAttribute attribute{};
  cudaLaunchConfig_t launch{};

  Config(const Way& way, int groups, int bytes, cudaStream_t stream) {
    launch.gridDim = dim3(static_cast<unsigned>(groups * way.blocks));
    launch.blockDim = dim3(kThreads);
    launch.dynamicSmemBytes = static_cast<std::size_t>(bytes);
    launch.stream = stream;
    launch.attrs = &attribute;
    launch.numAttrs = 1;
    if (way.cluster) {
      attribute.id = cudaLaunchAttributeClusterDimension;
      attribute.val.clusterDim = {static_cast<unsigned>(way.blocks), 1, 1};
    } else {  // all blocks at once, or none
      attribute.id = cudaLaunchAttributeCooperative;
      attribute.val.cooperative = 1;
    }
  }
};

// Groups that run at once, each block with all the shared memory there is; 0: not this way.
int groups_of(const Way& way, int bytes, int multiprocessors) {
  const void* kernel = kernel_of(way.cluster);
  if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) !=
      cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  int count = 0;
  if (way.cluster) {
    const Config config(way, 1, bytes, nullptr);
    if (cudaOccupancyMaxActiveClusters(&count, kernel, &config.launch) == cudaSuccess) return count;
  } else if (cudaOccupancyMaxActiveBlocksPerMultiprocessor(
                 &count, kernel, kThreads, static_cast<std::size_t>(bytes)) == cudaSuccess) {
    return count * multiprocessors / way.blocks;
  }
  cudaGetLastError();
  return 0;
}

int attribute_of(cudaDeviceAttr attribute) {
  int value = 0;
  check_cuda(cudaDeviceGetAttribute(&value, attribute, 0), "be asked what it has");
  return value;
}

// As many blocks as the GPU can run at once, by clusters where there are any. Tests of a GPU that
// has both have the other one by RTAUDIO_CUDA_LINKS=memory.
Way choose_way(const Weights& weights, bool strict, int bytes) {
  const int major = attribute_of(cudaDevAttrComputeCapabilityMajor);
  const int multiprocessors = attribute_of(cudaDevAttrMultiProcessorCount);
  const char* wanted = std::getenv("RTAUDIO_CUDA_LINKS");
  const bool memory =
      major < 9 || (major == 9 && wanted != nullptr && !std::strcmp(wanted, "memory"));
  const int most = std::min(kMostBlocks, static_cast<int>(weights.layers.size()));
  int least = 0;
  for (int blocks = most; blocks >= 1; --blocks) {
    Way way{!memory, blocks, 0};
    least = shared_bytes(pack(weights, blocks, strict).net, 1, 0);
    if (least <= bytes) way.groups = groups_of(way, bytes, multiprocessors);
    if (way.groups > 0) return way;
  }
  throw std::invalid_argument("this network needs " + std::to_string(least) +
                              " bytes of a GPU's shared memory, and this one has " +
                              std::to_string(bytes) + "; run it with --device cpu");
}

// Where a call's parts lie, on the host as on the device: what goes there, both ways, back.
struct Layout {
  std::size_t size = 0;
  std::size_t add(std::size_t bytes) {
    const std::size_t at = size;
    size += (bytes + 15) / 16 * 16;
    return at;
  }
};

}  // namespace

struct Gpu::Parts {
  Parts(const Weights& weights, bool strict)
      : bytes(attribute_of(cudaDevAttrMaxSharedMemoryPerBlockOptin)),
        way(choose_way(weights, strict, bytes)),
        packed(pack(weights, way.blocks, strict)),
        dilations(packed.dilations),
        ring_offsets(packed.ring_offsets),
        embedding(packed.embedding),
        images(packed.images),
        decode({weights.codes.decode,
                static_cast<std::size_t>(weights.softmax ? weights.codes.levels : 0)}) {
    net = packed.net;
    net.dilations = dilations.data();
    net.ring_offsets = ring_offsets.data();
    net.embedding = embedding.data();
    net.images = images.data();
    net.codes.decode = decode.data();
    packed.images.clear();
    packed.net.images = nullptr;
    for (most_lanes = 1; shared_bytes(net, most_lanes + 1, 0) <= bytes;) ++most_lanes;
    check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "make a stream");
  }
  ~Parts() { cudaStreamDestroy(stream); }

  void run(const HostCall& call);
  void launch(const Call& call);

  int bytes;  // of shared memory a block
  Way way;
  Packed packed;  // its net: sizes and tables for the host
  OnDevice<int> dilations;
  OnDevice<std::int64_t> ring_offsets;
  OnDevice<float> embedding;
  OnDevice<Group> images;
  OnDevice<float> decode;
  Net net;
  int most_lanes = 1;  // of a group
  cudaStream_t stream = nullptr;
  PinnedBytes host;
  DeviceBytes device, mail, numbers;
  mutable std::mutex mutex;
  std::string fault;
};

void Gpu::Parts::launch(const Call& all) {
  for (int first = 0; first < all.lanes;) {
    const int left = std::min(all.lanes - first, way.groups * most_lanes);
    const Call call = all.some(net, first, left);
    first += left;
    Launch how{};
    how.lanes_each = divided_up(left, way.groups);
    const int groups = divided_up(left, how.lanes_each);
    const int floor = shared_bytes(net, how.lanes_each, 0);
    how.resident = std::min(net.image_groups, (bytes - floor) / 16);
    if (!way.cluster) {
      const Room room(net, how.lanes_each);
      how.group_mail = std::int64_t{way.blocks} * (room.end - room.inbox);
      how.group_numbers =
          std::int64_t{2} * way.blocks * way.blocks * how.lanes_each * num_ports(net);
      const auto size = [groups](std::int64_t each) {
        return static_cast<std::size_t>(4 * each * groups);
      };
      how.mail = reinterpret_cast<float*>(mail.get(size(how.group_mail)));
      how.numbers = reinterpret_cast<unsigned*>(numbers.get(size(how.group_numbers)));
      check_cuda(cudaMemsetAsync(how.numbers, 0, size(how.group_numbers), stream), "be cleared");
    }
    const Config config(way, groups, floor + 16 * how.resident, stream);
    void* arguments[] = {const_cast<Net*>(&net), const_cast<Call*>(&call), &how};
    check_cuda(cudaLaunchKernelExC(&config.launch, kernel_of(way.cluster), arguments),
               "start a network");
  }
}

void Gpu::Parts::run(const HostCall& from) {
  const std::size_t count = from.lanes.size();
  const std::int64_t steps = std::int64_t{from.frames} * from.hop;
  const auto floats = [](std::int64_t n) { return static_cast<std::size_t>(n) * sizeof(float); };
  const std::size_t rows = floats(std::int64_t{from.frames} * from.condition_row);
  const std::size_t rings = floats(packed.ring_floats), values = floats(net.width);
  Layout at;
  const std::size_t lanes = at.add(count * sizeof(Lane));
  const std::size_t prompts = at.add(count * floats(steps * net.width));
  const std::size_t conditions = at.add(count * rows);
  const std::size_t all_values = at.add(count * values);
  const std::size_t all_rings = at.add(count * rings);
  const std::size_t audio = at.add(count * floats(steps * net.width));
  char* const here = host.get(at.size);
  char* const there = device.get(at.size);
  for (std::size_t i = 0; i < count; ++i) {
    const HostLane& lane = from.lanes[i];
    Lane start{lane.source, lane.position, nullptr, lane.prompt_steps};
    const std::int64_t given = std::min(lane.prompt_steps - lane.position, steps);
    if (given > 0) {  // what this call needs of it
      const std::size_t to = prompts + i * floats(steps * net.width);
      const std::int64_t skipped = lane.position * net.width;
      std::memcpy(here + to, lane.prompt + skipped, floats(given * net.width));
      start.prompt = reinterpret_cast<const float*>(there + to) - skipped;
    }
    std::memcpy(here + lanes + i * sizeof(Lane), &start, sizeof start);
    std::memcpy(here + conditions + i * rows, lane.condition, rows);
    std::memcpy(here + all_values + i * values, lane.values, values);
    std::memcpy(here + all_rings + i * rings, lane.rings, rings);
  }
  check_cuda(cudaMemcpyAsync(there, here, audio, cudaMemcpyHostToDevice, stream), "take signals");
  launch({static_cast<int>(count), from.frames, from.hop, from.voiced,
          reinterpret_cast<const float*>(there + conditions),
          std::int64_t{from.frames} * from.condition_row, from.condition_row,
          reinterpret_cast<const Lane*>(there + lanes), reinterpret_cast<float*>(there + all_rings),
          packed.ring_floats, reinterpret_cast<float*>(there + all_values),
          reinterpret_cast<float*>(there + audio), steps * net.width});
  check_cuda(cudaMemcpyAsync(here + all_values, there + all_values, at.size - all_values,
                             cudaMemcpyDeviceToHost, stream),
             "give signals");
  check_cuda(cudaStreamSynchronize(stream), "run a network");
  for (std::size_t i = 0; i < count; ++i) {
    const HostLane& lane = from.lanes[i];
    std::memcpy(lane.values, here + all_values + i * values, values);
    std::memcpy(lane.rings, here + all_rings + i * rings, rings);
    std::memcpy(lane.audio, here + audio + i * floats(steps * net.width),
                floats(steps * net.width));
  }
}

Gpu::Gpu(const Weights& weights, bool strict) : parts_(std::make_unique<Parts>(weights, strict)) {}
Gpu::~Gpu() = default;

const Net& Gpu::net() const { return parts_->packed.net; }
std::int64_t Gpu::ring_floats() const { return parts_->packed.ring_floats; }

bool Gpu::run(const HostCall& call) noexcept {
  const std::lock_guard lock(parts_->mutex);
  if (!parts_->fault.empty()) return false;
  try {
    parts_->run(call);
    return true;
  } catch (const std::exception& error) {
    parts_->fault = error.what();
    return false;
  }
}
std::string Gpu::fault() const {
  const std::lock_guard lock(parts_->mutex);
  return parts_->fault;
}

}  // namespace rtaudio::wavenet
