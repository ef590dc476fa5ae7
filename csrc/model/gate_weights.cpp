#include "model/gate_weights.h"

namespace rtaudio {

gpu::Window parts_of_input(Recorder& to, int rows) {
  const gpu::Signal& x = to.input();
  const int inputs = x.channels / rows;
  if (rows == 1 || x.row == x.channels) {
    return {{x.memory}, 0, rows == 1 ? x.row : inputs, 0, 1, inputs};
  }
  const std::size_t floats =
      static_cast<std::size_t>(to.max_frames()) * static_cast<std::size_t>(x.channels);
  const gpu::Signal dense{to.scratch(floats), x.channels, x.channels, x.frames};
  to.add(gpu::Copy{to.timing(), x, dense, 0, 0, x.channels, nullptr});
  return {{dense.memory}, 0, inputs, 0, 1, inputs};
}

void GateWeights::record(Recorder& to, gpu::Cell::Kind kind, bool is_relu, int rows) const {
  constexpr int kFew = 4;
  const gpu::Cell step = cell(to, kind, is_relu);
  const auto floats = [&](int count, int each) {
    return static_cast<std::size_t>(count) * static_cast<std::size_t>(rows * each);
  };
  const gpu::Memory gates = to.scratch(floats(to.max_frames(), step.row()));
  to.matmul(wx(to), parts_of_input(to, rows), gates, step.row(), rows * to.input().frames);
  if (to.max_frames() <= kFew) {
    const gpu::Window h{{to.state()}, 0, stride_, 0, 1, hidden_};
    const gpu::Memory uh = to.scratch(floats(1, step.row()));
    for (int t = 0; t < to.max_frames(); ++t) {
      // In the order of a walk, on tensor cores as well.
      to.multiply<gpu::Matmul>(step.u, std::int64_t{to.timing().lanes} * rows, h, uh, step.row(), 0,
                               false, rows);
      to.add(gpu::RecurrenceStep{to.timing(), step, rows, gates, uh, to.state(), to.output(), t});
    }
    return;
  }
  const gpu::Memory h = to.scratch(floats(2, stride_));
  record_walk(to, step,
              gpu::AlongTime{{to.timing()}, rows, gates, to.state(), h, to.output(), hidden_});
}

}  // namespace rtaudio
