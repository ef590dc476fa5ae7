// How the blocks of the persistent WaveNet kernel reach one another (see wavenet_block.h).
#pragma once

#include "cuda/wavenet_block.h"

namespace rtaudio::wavenet {

__device__ __forceinline__ Thread this_thread() {
  return {static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x)};
}

// By global memory, on any GPU: messages with numbers, which a release writes behind them and an
// acquire waits for. A message to oneself stays in shared memory.
class MemoryLinks {
 public:
  // `mail`: [to block][lane][parity] inboxes, `numbers`: [to block][lane][parity][port][from
  // block], zeros at the begin.
  __device__ MemoryLinks(const Net& net, const Room& room, int lanes, int block, float* memory,
                         float* mail, unsigned* numbers)
      : net_(net),
        room_(room),
        lanes_(lanes),
        block_(block),
        memory_(memory),
        mail_(mail),
        numbers_(numbers) {}

  template <class F>
  __device__ __forceinline__ void phase(const F& f) {
    f(this_thread());
    __syncthreads();
  }

  __device__ __forceinline__ const float* receive(Port port, int lane, int step) {
    const Range from = senders(net_, port, block_);
    const int at = room_.arrival(net_, port, lane, step % 2);
    if (from.end - from.begin == 1 && from.begin == block_) return memory_ + at;
    const auto wanted = static_cast<unsigned>(step + 1);
    for (int sender = from.begin + this_thread().index; sender < from.end; sender += blockDim.x) {
      if (sender == block_) continue;
      const unsigned* number = number_of(block_, port, lane, step, sender);
      unsigned found;
      do {
        asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(found) : "l"(number) : "memory");
      } while (found != wanted);
    }
    __syncthreads();
    const float* there = mail_of(block_) + (at - room_.inbox);
    const Range own = slice(net_, port, block_);
    const bool mine = block_ >= from.begin && block_ < from.end;
    this_thread().each(port_floats(net_, port), [&](int i) {
      if (!mine || i < own.begin || i >= own.end) memory_[at + i] = there[i];
    });
    __syncthreads();
    return memory_ + at;
  }

  __device__ __forceinline__ void send(Port port, int lane, int step, const float* from, int first,
                                       int last) {
    const Range own = slice(net_, port, block_);
    const int at = room_.arrival(net_, port, lane, step % 2) + own.begin;
    for (int to = first; to < last; ++to) {
      float* there = to == block_ ? memory_ + at : mail_of(to) + (at - room_.inbox);
      this_thread().each(own.end - own.begin, [&](int i) { there[i] = from[i]; });
    }
    __syncthreads();
    for (int to = first + this_thread().index; to < last; to += blockDim.x) {
      if (to == block_) continue;
      unsigned* number = number_of(to, port, lane, step, block_);
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
  __device__ unsigned* number_of(int to, Port port, int lane, int step, int from) const {
    const int place = ((to * lanes_ + lane) * 2 + step % 2) * num_ports(net_) + port.number;
    return numbers_ + std::int64_t{place} * net_.blocks + from;
  }

  const Net& net_;
  const Room& room_;
  int lanes_;
  int block_;
  float* memory_;
  float* mail_;
  unsigned* numbers_;
};

// By the shared memory of a cluster: each float is stored where it is wanted and counted there by
// the place's own mbarrier, on which its block waits.
class ClusterLinks {
 public:
  // `bars`: [lane][parity][port], not yet begun.
  __device__ ClusterLinks(const Net& net, const Room& room, int lanes, int block, float* memory,
                          std::uint64_t* bars)
      : net_(net), room_(room), block_(block), memory_(memory), bars_(bars) {
    this_thread().each(2 * lanes * num_ports(net), [&](int i) {
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

  __device__ __forceinline__ const float* receive(Port port, int lane, int step) {
    const unsigned bar = address(bar_of(port, lane, step));
    if (threadIdx.x == 0) {
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;"
                   :
                   : "r"(bar), "r"(4 * port_floats(net_, port))
                   : "memory");
    }
    const unsigned parity = static_cast<unsigned>(step / 2 % 2);  // of this place's uses
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
    return memory_ + room_.arrival(net_, port, lane, step % 2);
  }

  __device__ __forceinline__ void send(Port port, int lane, int step, const float* from, int first,
                                       int last) {
    const Range own = slice(net_, port, block_);
    float* at = memory_ + room_.arrival(net_, port, lane, step % 2) + own.begin;
    std::uint64_t* bar = bar_of(port, lane, step);
    const int count = own.end - own.begin;
    this_thread().each((last - first) * count, [&](int i) {
      const unsigned to = static_cast<unsigned>(first + i / count);
      asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];"
                   :
                   : "r"(in_block(address(at + i % count), to)), "r"(as_int(from[i % count])),
                     "r"(in_block(address(bar), to))
                   : "memory");
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
  __device__ std::uint64_t* bar_of(Port port, int lane, int step) const {
    return bars_ + (2 * lane + step % 2) * num_ports(net_) + port.number;
  }

  const Net& net_;
  const Room& room_;
  int block_;
  float* memory_;
  std::uint64_t* bars_;
};

}  // namespace rtaudio::wavenet
