// A layer of a refinement's network by tensor cores, where everything is stored in bf16.
#pragma once

#include "cuda/works/diffwave.h"
#include "cuda/works/tensor_cores.h"

namespace rtaudio::gpu {

// A team takes 16 rows. Each of its warps has 16 channels at a time, of both halves of a matrix's
// outputs: what the gates need is then in one thread, and z (DiffWaveParts) holds gates alone, as
// bf16 in each row's first half.
struct DiffWaveTiles : DiffWaveParts {
  static constexpr int kTeam = 128;

  RTA_HD std::int64_t teams(int ticks) const {
    return (rows(ticks).count() + kTileRows - 1) / kTileRows;
  }
  RTA_HD int phases(int /*ticks*/) const { return 2; }

  RTA_HD void operator()(int team, int phase, int thread, int ticks) const {
    const FlatRows all = rows(ticks);
    const int first = team * kTileRows, row = memory.row, lane = thread % kWarp;
    for (int c = thread / kWarp * 16; c < row; c += kTeam / kWarp * 16) {
      const int outputs[4] = {c, c + kTileOutputs, row + c, row + c + kTileOutputs};
      float sum[4][4];
      if (phase == 0) {
        start_tiles(in, outputs, lane, sum);
        for (int i = 0; i <= taps; ++i) add_piece(all, first, lane, i, outputs, sum);
        keep_gates(all, first, lane, c, sum);
      } else {
        start_tiles(out, outputs, lane, sum);
        add_gates(all, first, lane, outputs, sum);
        give(all, first, lane, outputs, sum);
      }
    }
  }

 private:
  // A lane's row i, or one that is there in its place.
  RTA_HD static int some_row(const FlatRows& all, int first, int lane, int i) {
    const int r = first + tile_row(lane, i);
    return r < all.count() ? r : first;
  }

  RTA_HD void add_piece(const FlatRows& all, int first, int lane, int i, const int (&outputs)[4],
                        float (&sum)[4][4]) const {
    const Store& from = piece(i);
    const auto rows_of = [&](int l) {
      HalfRows rows{};
      for (int h = 0; h < 2; ++h) {
        const int r = some_row(all, first, l, h);
        rows.rows[h] = reinterpret_cast<const std::uint16_t*>(from.memory.of(all.lane(r))) +
                       from.at(index_of(all, r) + shift(i)) + tile_k(l);
      }
      return rows;
    };
    const auto weights_of = [&](int l) { return TileWeights<4>(in, i * memory.row, outputs, l); };
    add_tiles(lane, 1, from.row / kTileDepth, rows_of, weights_of, sum);
  }
  RTA_HD std::uint16_t* gates_of(const FlatRows& all, int r) const {
    return reinterpret_cast<std::uint16_t*>(z_of(all, r));
  }
  RTA_HD void keep_gates(const FlatRows& all, int first, int lane, int c,
                         const float (&sum)[4][4]) const {
    for (int i = 0; i < 4; ++i) {
      const int r = first + tile_row(lane, i / 2);
      if (r >= all.count()) continue;
      std::uint16_t* const to = gates_of(all, r) + c + tile_output(lane) + i % 2;
      for (int n = 0; n < 2; ++n) {
        to[n * kTileOutputs] = to_bf16(math::gated_tanh(sum[n][i], sum[n + 2][i]));
      }
    }
  }
  RTA_HD void add_gates(const FlatRows& all, int first, int lane, const int (&outputs)[4],
                        float (&sum)[4][4]) const {
    const auto rows_of = [&](int l) {
      HalfRows rows{};
      for (int h = 0; h < 2; ++h) {
        rows.rows[h] = gates_of(all, some_row(all, first, l, h)) + tile_k(l);
      }
      return rows;
    };
    const auto weights_of = [&](int l) { return TileWeights<4>(out, 0, outputs, l); };
    add_tiles(lane, 1, memory.row / kTileDepth, rows_of, weights_of, sum);
  }
  RTA_HD void give(const FlatRows& all, int first, int lane, const int (&outputs)[4],
                   const float (&sum)[4][4]) const {
    RTA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const int r = first + tile_row(lane, h);
      if (r >= all.count() || !is_wanted(all, r)) continue;
      const Outputs to = outputs_of(all, r);
      for (int n = 0; n < 4; ++n) {
        for (int v = 0; v < 2; ++v) {
          put(to, outputs[n] + tile_output(lane) + v, sum[n][2 * h + v]);
        }
      }
    }
  }
};

}  // namespace rtaudio::gpu
