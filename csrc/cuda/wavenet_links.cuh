// How the blocks of the persistent WaveNet kernel reach one another (see wavenet_block.h).
#pragma once

#include "cuda/wavenet_block.h"

namespace rtaudio::wavenet {

__device__ __forceinline__ Thread this_thread() {
  return {static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x)};
}

// f(number, i, place) for a slice of a message that goes to `count` blocks, a unit of kUnit floats
// at a time: the block's number, and where the unit begins in rows that stand `row` apart, and in
// those of its place.
template <class Products, class F>
__device__ __forceinline__ void each_unit(int count, Range own, int row, int place_row,
                                          const F& f) {
  constexpr int kUnit = Products::kUnit, kLanes = Products::kLanes;
  const int units = (own.end - own.begin) / kUnit;
  this_thread().each(count * kLanes * units, [&](int i) {
    const int number = i / (kLanes * units), at = i % units * kUnit;
    const int lane = kLanes == 1 ? 0 : i / units % kLanes;
    f(number, lane * row + at, lane * place_row + own.begin + at);
  });
}

// By global memory, on any GPU: messages with numbers, which a release writes behind them and an
// acquire waits for. A message to oneself stays in shared memory.
template <class Products>
class MemoryLinks {
 public:
  // `mail`: inboxes [to block][bunch], `numbers`: [to block][bunch][port][from block], zeros at the
  // begin.
  __device__ MemoryLinks(const Net& net, const Room& room, int block, float* memory, float* mail,
                         unsigned* numbers)
      : net_(net), room_(room), block_(block), memory_(memory), mail_(mail), numbers_(numbers) {}

  template <class F>
  __device__ __forceinline__ void phase(const F& f) {
    f(this_thread());
    __syncthreads();
  }

  __device__ __forceinline__ const float* receive(Port port, int bunch, int step) {
    const Range from = senders(net_, port, block_);
    const int at = room_.arrival(port, bunch);
    if (from.end - from.begin == 1 && from.begin == block_) return memory_ + at;
    const auto wanted = static_cast<unsigned>(step + 1);
    for (int sender = from.begin + this_thread().index; sender < from.end; sender += blockDim.x) {
      if (sender == block_) continue;
      const unsigned* number = number_of(block_, port, bunch, sender);
      unsigned found;
      do {
        asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(found) : "l"(number) : "memory");
      } while (found != wanted);
    }
    __syncthreads();
    const float* there = mail_of(block_) + (at - room_.inbox);
    const Range own = slice(net_, port, block_);
    const bool mine = block_ >= from.begin && block_ < from.end;
    const int row = port_row(net_, port);
    each_unit<Products>(1, {0, port_floats(net_, port)}, row, row, [&](int, int i, int) {
      const int within = i % row;
      if (!mine || within < own.begin || within >= own.end) copy_unit(memory_ + at + i, there + i);
    });
    __syncthreads();
    return memory_ + at;
  }

  __device__ __forceinline__ void send(Port port, int bunch, int step, const float* from, int row,
                                       int first, int last) {
    const Range own = slice(net_, port, block_);
    const int at = room_.arrival(port, bunch);
    for (int to = first; to < last; ++to) {
      float* there = to == block_ ? memory_ + at : mail_of(to) + (at - room_.inbox);
      each_unit<Products>(1, own, row, port_row(net_, port),
                          [&](int, int i, int place) { copy_unit(there + place, from + i); });
    }
    __syncthreads();
    for (int to = first + this_thread().index; to < last; to += blockDim.x) {
      if (to == block_) continue;
      unsigned* number = number_of(to, port, bunch, block_);
      asm volatile("st.release.gpu.global.u32 [%0], %1;"
                   :
                   : "l"(number), "r"(static_cast<unsigned>(step + 1))
                   : "memory");
    }
  }

 private:
  __device__ float* mail_of(int block) const {
    return mail_ + std::int64_t{block} * (room_.end - room_.inbox);
  }
  __device__ unsigned* number_of(int to, Port port, int bunch, int from) const {
    const int place = (to * room_.bunches + bunch) * num_ports(net_) + port.number;
    return numbers_ + std::int64_t{place} * net_.blocks + from;
  }
  __device__ static void copy_unit(float* to, const float* from) {
    if constexpr (Products::kUnit == 4) {
      *reinterpret_cast<Four*>(to) = *reinterpret_cast<const Four*>(from);
    } else {
      *to = *from;
    }
  }

  const Net& net_;
  const Room& room_;
  int block_;
  float* memory_;
  float* mail_;
  unsigned* numbers_;
};

// By the shared memory of a cluster: what is sent is stored where it is wanted and counted there by
// the place's own mbarrier, on which its block waits.
template <class Products>
class ClusterLinks {
 public:
  // `bars`: [bunch][port], not yet begun.
  __device__ ClusterLinks(const Net& net, const Room& room, int block, float* memory,
                          std::uint64_t* bars)
      : net_(net), room_(room), block_(block), memory_(memory), bars_(bars) {
    this_thread().each(room.bunches * num_ports(net), [&](int i) {
      asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" : : "r"(address(bars_ + i)) : "memory");
    });
    asm volatile("fence.mbarrier_init.release.cluster;" : : : "memory");
    meet();
  }
  // No block may be gone while another one still stores.
  __device__ void meet() const {
    asm volatile("barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;" : : : "memory");
  }

  template <class F>
  __device__ __forceinline__ void phase(const F& f) {
    f(this_thread());
    __syncthreads();
  }

  __device__ __forceinline__ const float* receive(Port port, int bunch, int step) {
    const unsigned bar = address(bar_of(port, bunch));
    if (threadIdx.x == 0) {
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;"
                   :
                   : "r"(bar), "r"(4 * Products::kLanes * port_floats(net_, port))
                   : "memory");
    }
    const unsigned parity = static_cast<unsigned>(step % 2);  // of this place's uses
    unsigned done;
    do {
      asm volatile(
          "{\n.reg .pred p;\n"
          "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2;\n"
          "selp.u32 %0, 1, 0, p;\n}"
          : "=r"(done)
          : "r"(bar), "r"(parity)
          : "memory");
    } while (done == 0);
    return memory_ + room_.arrival(port, bunch);
  }

  __device__ __forceinline__ void send(Port port, int bunch, int /*step*/, const float* from,
                                       int row, int first, int last) {
    const unsigned at = address(memory_ + room_.arrival(port, bunch));
    const unsigned bar = address(bar_of(port, bunch));
    each_unit<Products>(last - first, slice(net_, port, block_), row, port_row(net_, port),
                        [&](int number, int i, int place) {
                          const auto to = static_cast<unsigned>(first + number);
                          store(in_block(at + 4 * static_cast<unsigned>(place), to), from + i,
                                in_block(bar, to));
                        });
    __syncthreads();
  }

 private:
  __device__ static unsigned address(const void* shared) {
    return static_cast<unsigned>(__cvta_generic_to_shared(shared));
  }
  __device__ static unsigned in_block(unsigned at, unsigned block) {
    unsigned there;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(at), "r"(block));
    return there;
  }
  __device__ static void store(unsigned to, const float* from, unsigned counter) {
    if constexpr (Products::kUnit == 4) {
      const Group unit = *reinterpret_cast<const Group*>(from);
      asm volatile(
          "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], "
          "{%1, %2, %3, %4}, [%5];"
          :
          : "r"(to), "r"(unit.words[0]), "r"(unit.words[1]), "r"(unit.words[2]), "r"(unit.words[3]),
            "r"(counter)
          : "memory");
    } else {
      asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];"
                   :
                   : "r"(to), "r"(as_int(*from)), "r"(counter)
                   : "memory");
    }
  }
  __device__ std::uint64_t* bar_of(Port port, int bunch) const {
    return bars_ + bunch * num_ports(net_) + port.number;
  }

  const Net& net_;
  const Room& room_;
  int block_;
  float* memory_;
  std::uint64_t* bars_;
};

}  // namespace rtaudio::wavenet
