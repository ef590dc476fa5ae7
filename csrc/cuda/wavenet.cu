#include "cuda/wavenet.h"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "cuda/memory.cuh"
#include "cuda/wavenet_kernel.cuh"

namespace rtaudio::wavenet {
namespace {

constexpr int kMostBlocks = 8;  // a cluster that every GPU with clusters can have

// How the blocks of a network reach one another, and how many groups of them run at once.
struct Reach {
  bool cluster;
  int blocks;
  int groups;
};

const void* kernel_of(bool cluster, Way way) {
  return with_products(way, [cluster]<class Products>() {
    return cluster ? reinterpret_cast<const void*>(&run_wavenet<true, Products>)
                   : reinterpret_cast<const void*>(&run_wavenet<false, Products>);
  });
}

struct Config {
  cudaLaunchAttribute attribute{};
  cudaLaunchConfig_t launch{};

  Config(const Reach& reach, int groups, int bytes, cudaStream_t stream) {
    launch.gridDim = dim3(static_cast<unsigned>(groups * reach.blocks));
    launch.blockDim = dim3(kThreads);
    launch.dynamicSmemBytes = static_cast<std::size_t>(bytes);
    launch.stream = stream;
    launch.attrs = &attribute;
    launch.numAttrs = 1;
    if (reach.cluster) {
      attribute.id = cudaLaunchAttributeClusterDimension;
      attribute.val.clusterDim = {static_cast<unsigned>(reach.blocks), 1, 1};
    } else {  // all blocks at once, or none
      attribute.id = cudaLaunchAttributeCooperative;
      attribute.val.cooperative = 1;
    }
  }
};

// Groups that run at once, each block with all the shared memory there is; 0: not this way.
int groups_of(const Reach& reach, Way way, int bytes, int multiprocessors) {
  const void* kernel = kernel_of(reach.cluster, way);
  if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) !=
      cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  int count = 0;
  if (reach.cluster) {
    const Config config(reach, 1, bytes, nullptr);
    if (cudaOccupancyMaxActiveClusters(&count, kernel, &config.launch) == cudaSuccess) return count;
  } else if (cudaOccupancyMaxActiveBlocksPerMultiprocessor(
                 &count, kernel, kThreads, static_cast<std::size_t>(bytes)) == cudaSuccess) {
    return count * multiprocessors / reach.blocks;
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
Reach choose_reach(const Weights& weights, bool strict, int bytes) {
  const int major = attribute_of(cudaDevAttrComputeCapabilityMajor);
  const int multiprocessors = attribute_of(cudaDevAttrMultiProcessorCount);
  const char* wanted = std::getenv("RTAUDIO_CUDA_LINKS");
  const bool memory =
      major < 9 || (major == 9 && wanted != nullptr && !std::strcmp(wanted, "memory"));
  const int most = std::min(kMostBlocks, static_cast<int>(weights.layers.size()));
  int least = 0;
  for (int blocks = most; blocks >= 1; --blocks) {
    Reach reach{!memory, blocks, 0};
    const Net net = pack(weights, blocks, strict).net;
    const Way way = way_of(net, 1);
    least = shared_bytes(net, Room(net, bunch_of(way), way), 0);
    if (least > bytes) continue;
    // With few lanes and with many.
    reach.groups = std::min(groups_of(reach, way, bytes, multiprocessors),
                            groups_of(reach, way_of(net, INT_MAX), bytes, multiprocessors));
    if (reach.groups > 0) return reach;
  }
  throw std::invalid_argument("this network needs " + std::to_string(least) +
                              " bytes of a GPU's shared memory, and this one has " +
                              std::to_string(bytes) + "; run it with --device cpu");
}

}  // namespace

struct Gpu::Parts {
  Parts(const Weights& weights, bool strict)
      : bytes(attribute_of(cudaDevAttrMaxSharedMemoryPerBlockOptin)),
        reach(choose_reach(weights, strict, bytes)),
        packed(pack(weights, reach.blocks, strict)),
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
  }

  bool has_room(int lanes, Way way) const {
    return shared_bytes(net, Room(net, lanes, way), 0) <= bytes;
  }
  Launch deal(int lanes) const;
  template <class F>
  void each_launch(int lanes, const F& f) const;
  std::size_t mail_bytes(int lanes) const;
  void launch(const Call& call, char* mail, cudaStream_t stream) const;

  int bytes;  // of shared memory a block
  Reach reach;
  Packed packed;  // its net: sizes and tables for the host
  OnDevice<int> dilations;
  OnDevice<std::int64_t> ring_offsets;
  OnDevice<float> embedding;
  OnDevice<Group> images;
  OnDevice<float> decode;
  Net net;
};

// How as many of some lanes as have room are dealt to all groups, whole bunches each.
Launch Gpu::Parts::deal(int lanes) const {
  Launch how{};
  const int wanted = divided_up(lanes, reach.groups);
  how.way = way_of(net, wanted);
  if (how.way == Way::eight && !has_room(8, Way::eight)) how.way = Way::one;
  const int each = bunch_of(how.way);
  how.lanes_each = padded(wanted, each);
  while (!has_room(how.lanes_each, how.way)) how.lanes_each -= each;
  how.room = Room(net, how.lanes_each, how.way);
  how.resident = std::min(net.image_groups, (bytes - shared_bytes(net, how.room, 0)) / 16);
  if (!reach.cluster) {
    how.group_mail = std::int64_t{reach.blocks} * (how.room.end - how.room.inbox);
    how.group_numbers =
        std::int64_t{reach.blocks} * reach.blocks * how.room.bunches * num_ports(net);
  }
  return how;
}

// f(first lane, lanes, groups, how) for each launch of a call.
template <class F>
void Gpu::Parts::each_launch(int lanes, const F& f) const {
  for (int first = 0; first < lanes;) {
    const Launch how = deal(lanes - first);
    const int count = std::min(lanes - first, reach.groups * how.lanes_each);
    f(first, count, divided_up(count, how.lanes_each), how);
    first += count;
  }
}

void Gpu::Parts::launch(const Call& all, char* mail, cudaStream_t stream) const {
  each_launch(all.lanes, [&](int first, int lanes, int groups, Launch how) {
    Call call = all.some(first, lanes);
    if (!reach.cluster) {
      how.numbers = reinterpret_cast<unsigned*>(mail);
      const auto size = static_cast<std::size_t>(4 * how.group_numbers * groups);
      how.mail = reinterpret_cast<float*>(mail + (size + 15) / 16 * 16);
      check_cuda(cudaMemsetAsync(how.numbers, 0, size, stream), "be cleared");
    }
    const Config config(reach, groups, shared_bytes(net, how.room, how.resident), stream);
    void* arguments[] = {const_cast<Net*>(&net), &call, &how};
    check_cuda(cudaLaunchKernelExC(&config.launch, kernel_of(reach.cluster, how.way), arguments),
               "start a network");
  });
}

std::size_t Gpu::Parts::mail_bytes(int lanes) const {
  std::int64_t most = 0;
  each_launch(lanes, [&](int, int, int groups, const Launch& how) {
    most = std::max(most, 4 * groups * (how.group_numbers + how.group_mail));
  });
  return reach.cluster ? 0 : static_cast<std::size_t>(most) + 32;
}

Gpu::Gpu(const Weights& weights, bool strict) {
  try {
    parts_ = std::make_unique<Parts>(weights, strict);
  } catch (const std::invalid_argument&) {  // tiles take more room
    if (!weights.dot) throw;
    Weights others = weights;
    others.dot = false;
    parts_ = std::make_unique<Parts>(others, strict);
  }
}
Gpu::~Gpu() = default;

const Net& Gpu::net() const { return parts_->packed.net; }
std::int64_t Gpu::ring_floats() const { return parts_->packed.ring_floats; }
std::size_t Gpu::mail_bytes(int lanes) const { return parts_->mail_bytes(lanes); }
void Gpu::launch(const Call& call, char* mail, void* stream) const {
  parts_->launch(call, mail, static_cast<cudaStream_t>(stream));
}

}  // namespace rtaudio::wavenet
