#include "model/timing.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <stdexcept>
#include <string>

#include "cpu/denormals.h"
#include "cpu/isa.h"

namespace rtaudio {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kBatchNanoseconds = 20'000;  // the clock itself takes 20 to 30
constexpr std::int64_t kMaxFloats = 1 << 28;

template <class F>
double nanoseconds(const F& run) {
  const auto start = Clock::now();
  run();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

// Means over batches of calls, each batch long enough for the clock.
template <class F>
std::vector<double> time_batches(double seconds, const F& run) {
  const auto batch = [&](std::int64_t calls) {
    return nanoseconds([&] {
      for (std::int64_t i = 0; i < calls; ++i) run();
    });
  };
  std::int64_t calls = 1;
  while (calls < 1 << 24 && batch(calls) < kBatchNanoseconds) calls *= 2;
  std::vector<double> means;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (means.empty() || Clock::now() < end) {
    means.push_back(batch(calls) / static_cast<double>(calls));
  }
  return means;
}

double least(const std::vector<double>& values) {
  return *std::min_element(values.begin(), values.end());
}

const Model::Operation& checked(const Model& model, int operation, int lanes, int ticks) {
  const auto count = static_cast<int>(model.operations().size());
  if (operation < 0 || operation >= count) {
    throw std::invalid_argument("operation " + std::to_string(operation) +
                                " is none of the model's " + std::to_string(count));
  }
  if (lanes < 1 || lanes > 1 << 10 || ticks < 1 || ticks > 1 << 16) {
    throw std::invalid_argument(std::to_string(lanes) + " lanes of " + std::to_string(ticks) +
                                " ticks are not possible; ask for 1 to 1024 of 1 to 65536");
  }
  return model.operations()[static_cast<std::size_t>(operation)];
}

}  // namespace

double measure_multiply_adds(const Kernels& kernels, WeightFormat format, double seconds) {
  const FlushDenormals guard;
  constexpr std::int64_t kRounds = 1000;
  float sum[16];
  const auto count = static_cast<double>(kernels.multiply_adds(format, kRounds, sum));
  return 1e9 * count /
         least(time_batches(seconds, [&] { kernels.multiply_adds(format, kRounds, sum); }));
}

double measure_reads(const Kernels& kernels, std::size_t bytes, double seconds) {
  const FlushDenormals guard;
  const std::size_t count = std::max<std::size_t>(bytes / sizeof(float), 16);
  if (count > kMaxFloats) throw std::invalid_argument("at most 1 GiB can be read");
  const SharedFloats data = make_weight_floats(count);  // as a model's weights lie
  float sum[16];
  const double best =
      least(time_batches(seconds, [&] { kernels.read_floats(data.get(), count, sum); }));
  return 1e9 * static_cast<double>(count * sizeof(float)) / best;
}

OperationTimer::OperationTimer(std::shared_ptr<const Model> model, int operation, int lanes,
                               int ticks)
    : model_(std::move(model)),
      kernels_(select_kernels()),
      layer_(*checked(*model_, operation, lanes, ticks).layer) {
  const Model::Operation& op = model_->operations()[static_cast<std::size_t>(operation)];
  std::mt19937 generator{1};
  std::normal_distribution<float> normal(0.0f, 0.3f);
  const auto make = [&](std::int64_t count, bool noise) {
    if (count > kMaxFloats) throw std::invalid_argument("so many lanes or ticks need too much");
    floats_.push_back(make_aligned_floats(static_cast<std::size_t>(count) + 16));
    float* data = floats_.back().get();
    if (noise) std::generate_n(data, count, [&] { return normal(generator); });
    return data;
  };
  const auto buffer_floats = [&](int index) {
    const BufferSpec& b = model_->buffers()[static_cast<std::size_t>(index)];
    return std::int64_t{b.frames} * ticks * row_floats(b.channels);
  };
  num_frames_ = model_->buffers()[static_cast<std::size_t>(op.inputs[0])].frames * ticks;
  control_.assign(static_cast<std::size_t>(num_frames_), 0.5f);
  // As in a session: each buffer has its lanes one after the other.
  std::vector<const float*> buffers;
  for (const int input : op.inputs) buffers.push_back(make(buffer_floats(input) * lanes, true));
  for (int lane = 0; lane < lanes; ++lane) {
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      inputs_.push_back(buffers[i] + buffer_floats(op.inputs[i]) * lane);
    }
  }
  float* scratch =
      make(static_cast<std::int64_t>(layer_.scratch_floats(num_frames_ * lanes)) + 16, false);
  float* outputs = make(buffer_floats(op.output) * lanes, false);
  for (int lane = 0; lane < lanes; ++lane) {
    float* output = outputs + buffer_floats(op.output) * lane;
    float* state = make(static_cast<std::int64_t>(layer_.state_floats(num_frames_)), false);
    layer_.reset(state);
    const std::size_t first = op.inputs.size() * static_cast<std::size_t>(lane);
    calls_.push_back({kernels_,
                      {inputs_.data() + first, op.inputs.size()},
                      output,
                      num_frames_,
                      num_frames_,
                      0,
                      num_frames_,
                      0,
                      state,
                      scratch,
                      op.control >= 0 ? control_.data() : nullptr});
  }
}

void OperationTimer::run() noexcept {
  for (Call& call : calls_) call.position = position_;
  layer_.process_lanes(calls_);
  position_ += num_frames_;
}

std::vector<double> OperationTimer::hot(double seconds) {
  const FlushDenormals guard;
  return time_batches(seconds, [this] { run(); });
}

std::vector<double> OperationTimer::cold(int calls, std::size_t swept_bytes) {
  const FlushDenormals guard;
  const std::size_t count = std::min<std::size_t>(swept_bytes / sizeof(float), kMaxFloats);
  const AlignedFloats swept = make_aligned_floats(count);
  float sum[16];
  std::vector<double> times;
  for (int i = 0; i < calls; ++i) {
    kernels_.read_floats(swept.get(), count, sum);
    times.push_back(nanoseconds([this] { run(); }));
  }
  return times;
}

}  // namespace rtaudio
