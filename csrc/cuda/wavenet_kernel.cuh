// The persistent kernel itself: groups of `net.blocks` blocks, each for some of the lanes.
#pragma once

#include "cuda/wavenet_links.cuh"

namespace rtaudio::wavenet {

constexpr int kThreads = 512;

struct Launch {
  Way way;
  int lanes_each;  // of a group; the last one may have fewer
  int resident;    // groups of each image that shared memory has room for
  Room room;
  // MemoryLinks: of each group of blocks.
  float* mail;
  unsigned* numbers;
  std::int64_t group_mail, group_numbers;
};

// Shared memory: the block's own floats, the mbarriers of a cluster, the image's first groups.
RTA_HD int bar_groups(const Net& net, const Room& room) {
  return divided_up(room.bunches * num_ports(net), 2);
}
RTA_HD int shared_bytes(const Net& net, const Room& room, int resident) {
  return 4 * room.end + 16 * (bar_groups(net, room) + resident);
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

template <bool kCluster, class Products>
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
    const Room& room = launch.room;
    auto* memory = reinterpret_cast<float*>(shared);
    auto* bars = reinterpret_cast<std::uint64_t*>(memory + room.end);
    auto* image = reinterpret_cast<Group*>(bars) + bar_groups(net, room);
    const Group* images = net.images + std::int64_t{block} * net.image_groups;
    this_thread().each(launch.resident, [&](int i) { image[i] = images[i]; });
    if constexpr (kCluster) {
      using Links = ClusterLinks<Products>;
      Links links(net, room, block, memory, bars);
      Block<Links, Products>(net, call, links, room, block, memory, image, launch.resident).run();
      links.meet();
    } else {
      using Links = MemoryLinks<Products>;
      Links links(net, room, block, memory, launch.mail + group * launch.group_mail,
                  launch.numbers + group * launch.group_numbers);
      Block<Links, Products>(net, call, links, room, block, memory, image, launch.resident).run();
    }
  }
}

}  // namespace rtaudio::wavenet
