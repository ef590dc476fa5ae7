// The persistent kernel itself: groups of `net.blocks` blocks, each for some of the lanes.
#pragma once

#include "cuda/wavenet_links.cuh"

namespace rtaudio::wavenet {

constexpr int kThreads = 512;

struct Launch {
  int lanes_each;  // of a group; the last one may have fewer
  int resident;    // groups of each image that shared memory has room for
  // MemoryLinks: of each group of blocks.
  float* mail;
  unsigned* numbers;
  std::int64_t group_mail, group_numbers;
};

// Shared memory: the block's own floats, the mbarriers of a cluster, the image's first groups.
RTA_HD int bar_groups(const Net& net, int lanes) { return lanes * num_ports(net); }
RTA_HD int shared_bytes(const Net& net, int lanes, int resident) {
  return 4 * Room(net, lanes).end + 16 * (bar_groups(net, lanes) + resident);
}

// Which links an architecture has: clusters from Hopper on; memory up to it, so that what older
// ones run can be tried on it.
#if defined(__CUDA_ARCH__)
constexpr bool kHasClusters = __CUDA_ARCH__ >= 900;
constexpr bool kHasMemory = __CUDA_ARCH__ < 1000;
#else
constexpr bool kHasClusters = true;
constexpr bool kHasMemory = true;
#endif

template <class Links>
__device__ __forceinline__ void run_block(const Net& net, const Call& call, Links& links,
                                          const Room& room, int block, float* memory,
                                          const Group* image, int resident) {
  Block<Links>(net, call, links, room, block, memory, image, resident).run();
}

template <bool kCluster>
__global__ void __launch_bounds__(kThreads, 1)
    run_wavenet(const __grid_constant__ Net net, const __grid_constant__ Call all,
                const __grid_constant__ Launch launch) {
  if constexpr (kCluster ? kHasClusters : kHasMemory) {
    extern __shared__ Four shared[];
    const int group = static_cast<int>(blockIdx.x) / net.blocks;
    const int block = static_cast<int>(blockIdx.x) % net.blocks;
    const int first = group * launch.lanes_each;
    const int left = all.lanes - first;
    const Call call = all.some(first, left < launch.lanes_each ? left : launch.lanes_each);
    const Room room(net, launch.lanes_each);
    auto* memory = reinterpret_cast<float*>(shared);
    auto* bars = reinterpret_cast<std::uint64_t*>(memory + room.end);
    auto* image = reinterpret_cast<Group*>(bars) + bar_groups(net, launch.lanes_each);
    const Group* images = net.images + std::int64_t{block} * net.image_groups;
    this_thread().each(launch.resident, [&](int i) { image[i] = images[i]; });
    if constexpr (kCluster) {
      ClusterLinks links(net, room, call.lanes, block, memory, bars);
      run_block(net, call, links, room, block, memory, image, launch.resident);
      links.meet();
    } else {
      MemoryLinks links(net, room, launch.lanes_each, block, memory,
                        launch.mail + group * launch.group_mail,
                        launch.numbers + group * launch.group_numbers);
      run_block(net, call, links, room, block, memory, image, launch.resident);
    }
  }
}

}  // namespace rtaudio::wavenet
