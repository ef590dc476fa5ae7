#include "model/recorder.h"

#include <climits>
#include <stdexcept>
#include <string>

namespace rtaudio {

gpu::Memory Recorder::scratch(std::size_t floats) {
  const gpu::Memory mine = operation_.scratch.after(static_cast<std::int64_t>(scratch_floats_));
  scratch_floats_ += (floats + 15) / 16 * 16;
  return mine;
}

gpu::Matrix Recorder::matrix(const PackedWeights& weights) {
  const PackedMatrix& m = weights.view();
  const void* host = m.format == WeightFormat::fp32 ? m.weights : m.narrow;
  const char* device = table(static_cast<const char*>(host), weights.num_weights() * sizeof(float));
  // The other numbers stand behind the bias.
  const char* constants =
      table(reinterpret_cast<const char*>(m.bias), weights.num_constants() * sizeof(float));
  const auto moved = [&](const float* p) {
    if (p == nullptr) return p;
    return reinterpret_cast<const float*>(
        constants + (reinterpret_cast<const char*>(p) - reinterpret_cast<const char*>(m.bias)));
  };
  return {m.outputs,      m.depth, m.splits,      static_cast<gpu::Format>(m.format),
          m.in_pairs,     device,  moved(m.bias), moved(m.input_scales),
          moved(m.scales)};
}

gpu::Transform Recorder::transform(const FftTables& tables, int frames) {
  const FftPlan plan = tables.view([&](const auto& values) { return table(values); });
  return {plan, scratch(static_cast<std::size_t>(frames) *
                        static_cast<std::size_t>(4 * plan.complex_length))};
}

void Recorder::add(gpu::Work work) {
  const int ticks = max_ticks();
  const std::int64_t threads = std::visit(
      [ticks](const auto& w) {
        if constexpr (gpu::is_team<std::decay_t<decltype(w)>>) {
          return w.teams(ticks);
        } else {
          return gpu::items_of(w, ticks);
        }
      },
      work);
  if (threads > INT_MAX) {
    throw std::length_error("a call of " + std::to_string(threads) +
                            " threads is too large for a GPU; ask for fewer lanes or ticks");
  }
  shared_.program.sections.back().works.push_back(std::move(work));
}

void Recorder::matmul(const gpu::Matrix& m, const gpu::Window& x, gpu::Memory y, int y_step,
                      int frames, bool zeros, int more) {
  const std::int64_t rows = std::int64_t{frames} * max_ticks() + more;
  if (shared_.tensor_cores && !zeros && gpu::fits_tiles(m, x)) {
    constexpr std::int64_t kMany = 1 << 11;  // warps that keep a GPU busy
    if (timing().lanes * rows * m.outputs >= kMany * gpu::kTileRows * 4 * gpu::kTileOutputs) {
      add(gpu::TileMatmul<4>{timing(), m, x, y, y_step, frames, more});
    } else {
      add(gpu::TileMatmul<1>{timing(), m, x, y, y_step, frames, more});
    }
    return;
  }
  multiply<gpu::Matmul>(m, timing().lanes * rows, x, y, y_step, frames, zeros, more);
}

}  // namespace rtaudio
