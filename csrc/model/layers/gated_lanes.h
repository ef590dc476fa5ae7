// A gated stack over several lanes at once: each layer's weights are read once for all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/platform.h"
#include "cpu/kernels.h"

namespace rtaudio {

// One lane of a batch. The stacks differ in their rings alone; the new rows lie in the first
// layer's ring already.
struct GatedLane {
  GatedStack stack;
  std::int64_t position;
  int valid_begin;
  int valid_end;
  float* skip;
  // Each frame's 2 * gate_channels values a layer that its sums start from; null: the biases.
  const float* condition = nullptr;
  std::ptrdiff_t condition_step = 0;
};

constexpr int kGatedRows = 16;  // that go through a layer together

std::size_t gated_lanes_scratch_floats(int kernel, int channels, int gate, int skip);

// The sums are those of Kernels::gated_stack, in the same order. At most kGatedRows lanes, all
// conditioned or none.
void gated_lanes(const Kernels& kernels, std::span<const GatedLane> lanes, int num_frames,
                 std::ptrdiff_t skip_step, float* scratch) noexcept RTA_NONBLOCKING;

}  // namespace rtaudio
