#include "cuda/wavenet.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
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
  }

  Launch deal(int lanes) const;
  void launch(const Call& call, char* mail, cudaStream_t stream) const;

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
};

// How some lanes are dealt to groups of blocks.
Launch Gpu::Parts::deal(int lanes) const {
  Launch how{};
  how.lanes_each = divided_up(lanes, way.groups);
  how.resident = std::min(net.image_groups, (bytes - shared_bytes(net, how.lanes_each, 0)) / 16);
  if (!way.cluster) {
    const Room room(net, how.lanes_each);
    how.group_mail = std::int64_t{way.blocks} * (room.end - room.inbox);
    how.group_numbers = std::int64_t{2} * way.blocks * way.blocks * how.lanes_each * num_ports(net);
  }
  return how;
}

void Gpu::Parts::launch(const Call& all, char* mail, cudaStream_t stream) const {
  for (int first = 0; first < all.lanes;) {
    const int left = std::min(all.lanes - first, way.groups * most_lanes);
    const Call call = all.some(first, left);
    first += left;
    Launch how = deal(left);
    const int groups = divided_up(left, how.lanes_each);
    if (!way.cluster) {
      how.numbers = reinterpret_cast<unsigned*>(mail);
      const auto size = static_cast<std::size_t>(4 * how.group_numbers * groups);
      how.mail = reinterpret_cast<float*>(mail + (size + 15) / 16 * 16);
      check_cuda(cudaMemsetAsync(how.numbers, 0, size, stream), "be cleared");
    }
    const int floor = shared_bytes(net, how.lanes_each, 0);
    const Config config(way, groups, floor + 16 * how.resident, stream);
    void* arguments[] = {const_cast<Net*>(&net), const_cast<Call*>(&call), &how};
    check_cuda(cudaLaunchKernelExC(&config.launch, kernel_of(way.cluster), arguments),
               "start a network");
  }
}

Gpu::Gpu(const Weights& weights, bool strict) : parts_(std::make_unique<Parts>(weights, strict)) {}
Gpu::~Gpu() = default;

const Net& Gpu::net() const { return parts_->packed.net; }
std::int64_t Gpu::ring_floats() const { return parts_->packed.ring_floats; }
std::size_t Gpu::mail_bytes(int lanes) const {
  if (parts_->way.cluster) return 0;
  const int most = std::min(lanes, parts_->way.groups * parts_->most_lanes);
  const Launch how = parts_->deal(most);
  const std::int64_t groups = divided_up(most, how.lanes_each);
  return static_cast<std::size_t>(4 * groups * (how.group_numbers + how.group_mail)) + 32;
}
void Gpu::launch(const Call& call, char* mail, void* stream) const {
  parts_->launch(call, mail, static_cast<cudaStream_t>(stream));
}

}  // namespace rtaudio::wavenet
