// What one block of the persistent WaveNet kernel has: its memory, its weights, its layers' rings.
#pragma once

#include "core/bf16.h"
#include "cuda/wavenet_room.h"

namespace rtaudio::wavenet {

struct Thread {
  int index, count;

  // What falls to this one of `items`.
  template <class F>
  RTA_HD void each(int items, const F& f) const {
    for (int i = index; i < items; i += count) f(i);
  }
  // f(row, item) for `items` of each of kRows.
  template <int kRows, class F>
  RTA_HD void each_of(int items, const F& f) const {
    if constexpr (kRows == 1) {
      each(items, [&](int i) { f(0, i); });
    } else {
      each(kRows * items, [&](int i) { f(i / items, i % items); });
    }
  }
};

// Bunches of kLanes lanes. The last one may have fewer: whoever asks for one that is not there is
// given the last lane, and of what is not active nothing is kept.
template <int kLanes>
struct Own {
  const Net& net;
  const Call& call;
  const Room& room;
  Share share;
  float* memory;      // room.end floats
  const Group* near;  // the image's first groups
  const Group* far;   // all of them, in the net's memory
  int resident;       // of those that are near

  // Of a matrix, near if all of it is.
  RTA_HD const Group* weights(int begin, int groups) const {
    return begin + groups <= resident ? near + begin : far + begin;
  }
  RTA_HD const float* biases() const {
    const bool all = divided_up(share.matrix_bias(net.num_matrices), 4) <= resident;
    return reinterpret_cast<const float*>(all ? near : far);
  }

  RTA_HD int num_bunches() const { return divided_up(call.lanes, kLanes); }
  RTA_HD int lane(int bunch, int i) const {
    const int lane = bunch * kLanes + i;
    return kLanes == 1 || lane < call.lanes ? lane : call.lanes - 1;
  }
  // The steps that some of its lanes make.
  RTA_HD int steps_of(int bunch) const {
    return static_cast<int>(as_int(memory[room.bunch_steps + bunch]));
  }
  RTA_HD bool is_active(int bunch, int i, int step) const {
    if constexpr (kLanes == 1) return true;  // or its bunch would not be here
    const int lane = bunch * kLanes + i;
    return lane < call.lanes && step < static_cast<int>(as_int(memory[room.steps + lane]));
  }
  // Of a lane's own frame, all layers'.
  RTA_HD const float* condition(int lane, int frame) const {
    const int t = call.lane[lane].first_frame + frame;
    const bool there = kLanes == 1 || t < call.frames;
    return call.condition + lane * call.condition_lane +
           (there ? t : call.frames - 1) * call.condition_row;
  }
  RTA_HD const float* layers_condition(int lane, int frame) const {
    return condition(lane, frame) + share.first_layer() * 2 * net.gate;
  }

  RTA_HD void begin(Thread t) const {
    const int layers = share.num_layers();
    t.each(call.lanes * net.width, [&](int i) { memory[room.values + i] = *value_of(i); });
    t.each(call.lanes, [&](int lane) {
      memory[room.steps + lane] = as_float(static_cast<std::uint32_t>(call.lane[lane].steps));
    });
    t.each(num_bunches(), [&](int bunch) {
      int most = 0;
      for (int i = 0; i < kLanes; ++i) {
        const int steps = call.lane[lane(bunch, i)].steps;
        most = steps > most ? steps : most;
      }
      memory[room.bunch_steps + bunch] = as_float(static_cast<std::uint32_t>(most));
    });
    t.each(call.lanes * layers, [&](int i) {
      const int frames = net.ring_frames(share.first_layer() + i % layers);
      const std::int64_t position = call.lane[i / layers].position;
      memory[room.slots + i] = frames == 0 ? 0.0f : static_cast<float>(position % frames);
    });
  }
  RTA_HD void end(Thread t) const {
    if (share.block != 0) return;
    t.each(call.lanes * net.width, [&](int i) { *value_of(i) = memory[room.values + i]; });
  }
  RTA_HD float* values(int lane) const { return memory + room.values + lane * net.width; }

  // Row of a step: those of the older taps are `tap * dilation` rows on, in turn.
  RTA_HD float* ring_row(int lane, int l, int tap) const {
    const int layer = share.first_layer() + l, frames = net.ring_frames(layer);
    int row = static_cast<int>(*slot(lane, l)) + tap * net.dilations[layer];
    if (row >= frames) row -= frames;
    return call.rings + lane * call.ring_lane + net.ring_offsets[layer] +
           std::int64_t{row} * net.ring_row();
  }
  // The input of a layer goes into its ring; the layer may be another block's.
  RTA_HD void keep(int bunch, int i, int step, int l, int c, float value) const {
    if (net.kernel > 1 && l < share.num_layers() && is_active(bunch, i, step)) {
      ring_row(lane(bunch, i), l, 0)[c] = value;
    }
  }
  // The next step's rows.
  RTA_HD void advance(Thread t, int bunch, int step) const {
    t.template each_of<kLanes>(share.num_layers(), [&](int i, int l) {
      if (!is_active(bunch, i, step)) return;
      const int frames = net.ring_frames(share.first_layer() + l);
      float* at = slot(lane(bunch, i), l);
      *at = *at + 1.0f < static_cast<float>(frames) ? *at + 1.0f : 0.0f;
    });
  }

  // The first layer's input.
  RTA_HD float embedded(int lane, int c) const {
    const float* x = values(lane);
    if (net.levels > 0) {  // what is no code counts as 0
      const float value = x[0] + 0.5f;
      const bool known = value >= 0.0f && value < static_cast<float>(net.levels);
      return net.embedding[(known ? static_cast<int>(value) : 0) * net.channels + c];
    }
    // As the CPU sums, in the one mode as in the other.
    const int parts = num_splits(net.channels, net.width);
    const int length = divided_up(net.width, parts);
    float sum = 0.0f, half = 0.0f;
    for (int part = 0; part < parts; ++part) {
      float own = part == 0 ? net.embedding[net.width * net.channels + c] : 0.0f;
      for (int k = part * length; k < net.width && k < (part + 1) * length; ++k) {
        const float value = net.tiles ? from_bf16(to_bf16(x[k])) : x[k];
        own = fma(net.embedding[k * net.channels + c], value, own);
      }
      half = part % 2 == 0 ? own : half + own;  // pair by pair
      if (part % 2 == 1 || parts == 1) sum = part < 2 ? half : sum + half;
    }
    return sum;
  }

 private:
  RTA_HD float* value_of(int i) const {
    return call.values + i / net.width * call.values_lane + i % net.width;
  }
  RTA_HD float* slot(int lane, int l) const {
    return memory + room.slots + lane * share.num_layers() + l;
  }
};

}  // namespace rtaudio::wavenet
