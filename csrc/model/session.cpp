#include "model/session.h"

#include <algorithm>
#include <stdexcept>

#include "cpu/denormals.h"
#include "cpu/isa.h"

namespace rtaudio {
namespace {

constexpr std::size_t kMaxFloats = std::size_t{1} << 30;  // 4 GiB
constexpr int kMaxLanes = 1 << 14;

std::size_t aligned(std::size_t floats) { return (floats + 15) / 16 * 16; }

void copy_rows(const float* from, int from_step, float* to, int to_step, int channels,
               int num_frames) noexcept {
  if (from_step == to_step) {
    std::copy_n(from, std::ptrdiff_t{num_frames} * from_step, to);
    return;
  }
  for (int t = 0; t < num_frames; ++t) {
    std::copy_n(from + std::ptrdiff_t{t} * from_step, channels, to + std::ptrdiff_t{t} * to_step);
  }
}

std::size_t checked_sum(std::size_t total, std::size_t floats) {
  if (floats > kMaxFloats || total + floats > kMaxFloats) {
    throw std::length_error(
        "this model's state is larger than 4 GiB; use fewer lanes or a smaller model");
  }
  return total + aligned(floats);
}

}  // namespace

Session::Session(std::shared_ptr<const Model> model, int lanes, int max_ticks, double ramp_frames,
                 std::vector<float> controls)
    : model_(std::move(model)),
      kernels_(&select_kernels()),
      lanes_(lanes),
      max_ticks_(max_ticks),
      ramp_frames_(std::max(ramp_frames, 1.0)) {
  if (lanes < 1 || lanes > kMaxLanes) {
    throw std::invalid_argument("a session of " + std::to_string(lanes) +
                                " lanes is not possible; ask for 1 to " +
                                std::to_string(kMaxLanes));
  }
  if (max_ticks < 1 || max_ticks > 1 << 20) {
    throw std::invalid_argument("max_ticks is " + std::to_string(max_ticks) +
                                "; it must be 1 to 1048576");
  }
  if (static_cast<int>(controls.size()) != model_->num_controls()) {
    throw std::invalid_argument("the model has " + std::to_string(model_->num_controls()) +
                                " controls, not " + std::to_string(controls.size()));
  }
  std::size_t floats = 0;
  for (const BufferSpec& b : model_->buffers()) {
    buffer_offsets_.push_back(floats);
    const auto frames = static_cast<std::size_t>(b.frames) * static_cast<std::size_t>(max_ticks);
    floats = checked_sum(floats, frames * static_cast<std::size_t>(row_floats(b.channels)) + 16);
  }
  buffers_ = make_aligned_floats(floats);
  std::size_t scratch = 16;
  std::size_t most_inputs = 0;
  int most_frames = 1;
  for (const Model::Operation& op : model_->operations()) {
    state_offsets_.push_back(lane_floats_);
    const std::int64_t frames = std::int64_t{
        model_->buffers()[static_cast<std::size_t>(op.inputs[0])].frames} * max_ticks;
    if (frames > 1 << 26) throw std::length_error("a call of that many ticks is too long");
    lane_floats_ = checked_sum(lane_floats_, op.layer->state_floats(max_frames(op)));
    scratch = std::max(scratch, op.layer->scratch_floats(max_frames(op)));
    most_inputs = std::max(most_inputs, op.inputs.size());
    most_frames = std::max(most_frames, max_frames(op));
  }
  if (scratch > kMaxFloats || lane_floats_ > kMaxFloats / static_cast<std::size_t>(lanes)) {
    throw std::length_error(
        "this model's state is larger than 4 GiB; use fewer lanes or a smaller model");
  }
  state_ = make_aligned_floats(lane_floats_ * static_cast<std::size_t>(lanes) + 16);
  scratch_ = make_aligned_floats(scratch);
  if (model_->num_controls() > 0) control_values_.resize(static_cast<std::size_t>(most_frames));
  inputs_.resize(std::max<std::size_t>(most_inputs, 1));
  for (const float value : controls) ramps_.push_back({value, value, 0.0});
  lanes_state_.resize(static_cast<std::size_t>(lanes));
  for (int lane = 0; lane < lanes; ++lane) reset(lane);
}

int Session::max_frames(const Model::Operation& op) const {
  return model_->buffers()[static_cast<std::size_t>(op.inputs[0])].frames * max_ticks_;
}

void Session::reset(int lane) noexcept {
  float* state = state_.get() + static_cast<std::size_t>(lane) * lane_floats_;
  std::fill_n(state, lane_floats_, 0.0f);
  for (std::size_t i = 0; i < state_offsets_.size(); ++i) {
    model_->operations()[i].layer->reset(state_of(lane, i));
  }
  Lane& l = lanes_state_[static_cast<std::size_t>(lane)];
  l.ticks = 0;
  l.ended = false;
}

void Session::end(int lane, std::int64_t source_length) {
  Lane& l = lanes_state_[static_cast<std::size_t>(lane)];
  model_->lengths(source_length, l.lengths);
  l.ended = true;
}

void Session::set_control(int index, float value) noexcept {
  Ramp& ramp = ramps_[static_cast<std::size_t>(index)];
  const auto share = static_cast<float>(std::min(1.0, ramp.elapsed / ramp_frames_));
  ramp = {ramp.from + share * (ramp.to - ramp.from), value, 0.0};
}

const float* Session::control_values(int index, int num_frames, double frames_each) noexcept {
  const Ramp& ramp = ramps_[static_cast<std::size_t>(index)];
  for (int t = 0; t < num_frames; ++t) {
    const double at = (ramp.elapsed + (t + 1) * frames_each) / ramp_frames_;
    control_values_[static_cast<std::size_t>(t)] =
        at >= 1.0 ? ramp.to : ramp.from + static_cast<float>(at) * (ramp.to - ramp.from);
  }
  return control_values_.data();
}

void Session::process(const float* input, std::ptrdiff_t input_step, float* output,
                      std::ptrdiff_t output_step, int num_ticks) noexcept {
  const FlushDenormals guard;
  const BufferSpec& in = model_->input();
  const BufferSpec& out = model_->output();
  float* source =
      buffers_.get() + buffer_offsets_[static_cast<std::size_t>(model_->input_buffer())];
  const float* result =
      buffers_.get() + buffer_offsets_[static_cast<std::size_t>(model_->output_buffer())];
  for (int lane = 0; lane < lanes_; ++lane) {
    Lane& l = lanes_state_[static_cast<std::size_t>(lane)];
    if (l.held) continue;
    copy_rows(input + lane * input_step, in.channels, source, row_floats(in.channels),
              in.channels, num_ticks * in.frames);
    for (std::size_t i = 0; i < state_offsets_.size(); ++i) {
      run(lane, model_->operations()[i], i, num_ticks);
    }
    copy_rows(result, row_floats(out.channels), output + lane * output_step, out.channels,
              out.channels, num_ticks * out.frames);
    l.ticks += num_ticks;
  }
  for (Ramp& ramp : ramps_) ramp.elapsed += static_cast<double>(num_ticks) * in.frames;
}

void Session::run(int lane_index, const Model::Operation& op, std::size_t index,
                  int num_ticks) noexcept {
  const Lane& lane = lanes_state_[static_cast<std::size_t>(lane_index)];
  const auto first = static_cast<std::size_t>(op.inputs[0]);
  const BufferSpec& in = model_->buffers()[first];
  const int num_frames = in.frames * num_ticks;
  const std::int64_t position = lane.ticks * in.frames;
  std::int64_t shortest = INT64_MAX / 2;
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    const auto buffer = static_cast<std::size_t>(op.inputs[i]);
    inputs_[i] = buffers_.get() + buffer_offsets_[buffer];
    if (lane.ended) shortest = std::min(shortest, lane.lengths[buffer]);
  }
  const auto clip = [num_frames](std::int64_t t) {
    return static_cast<int>(std::clamp<std::int64_t>(t, 0, num_frames));
  };
  const int begin = clip(in.delay - position);
  const int end = std::max(begin, clip(in.delay + shortest - position));
  const double frames_each = static_cast<double>(model_->input().frames) / in.frames;
  op.layer->process({*kernels_,
                     {inputs_.data(), op.inputs.size()},
                     buffers_.get() + buffer_offsets_[static_cast<std::size_t>(op.output)],
                     num_frames,
                     max_frames(op),
                     begin,
                     end,
                     position,
                     state_of(lane_index, index),
                     scratch_.get(),
                     op.control >= 0 ? control_values(op.control, num_frames, frames_each)
                                     : nullptr});
}

std::vector<Session::StateTensor> Session::save(int lane) const {
  std::vector<StateTensor> all;
  const Lane& l = lanes_state_[static_cast<std::size_t>(lane)];
  for (std::size_t i = 0; i < state_offsets_.size(); ++i) {
    const Model::Operation& op = model_->operations()[i];
    std::vector<std::span<float>> spans;
    const std::size_t start = all.size();
    for (const StateSpec& spec : op.layer->state_specs()) {
      all.push_back({std::to_string(i) + "." + spec.name, spec.channels, spec.frames,
                     std::vector<float>(static_cast<std::size_t>(spec.channels) *
                                        static_cast<std::size_t>(spec.frames))});
    }
    for (std::size_t k = start; k < all.size(); ++k) spans.emplace_back(all[k].values);
    const std::int64_t position =
        l.ticks * model_->buffers()[static_cast<std::size_t>(op.inputs[0])].frames;
    op.layer->save(state_of(lane, i), position, max_frames(op), spans);
  }
  return all;
}

void Session::load(int lane, std::int64_t ticks, std::span<const StateTensor> state) {
  if (ticks < 0 || ticks > INT64_MAX / (1 << 21)) {
    throw std::invalid_argument("the saved state has an impossible position");
  }
  std::size_t at = 0;
  for (std::size_t i = 0; i < state_offsets_.size(); ++i) {
    for (const StateSpec& spec : model_->operations()[i].layer->state_specs()) {
      const auto floats =
          static_cast<std::size_t>(spec.channels) * static_cast<std::size_t>(spec.frames);
      if (at >= state.size() || state[at].name != std::to_string(i) + "." + spec.name ||
          state[at].values.size() != floats) {
        throw std::invalid_argument("the saved state is not one of this model: '" +
                                    std::to_string(i) + "." + spec.name +
                                    "' is missing or has another size");
      }
      ++at;
    }
  }
  reset(lane);
  at = 0;
  for (std::size_t i = 0; i < state_offsets_.size(); ++i) {
    const Model::Operation& op = model_->operations()[i];
    std::vector<std::span<const float>> spans;
    for (std::size_t k = 0; k < op.layer->state_specs().size(); ++k) {
      spans.emplace_back(state[at++].values);
    }
    const std::int64_t position =
        ticks * model_->buffers()[static_cast<std::size_t>(op.inputs[0])].frames;
    op.layer->load(state_of(lane, i), position, max_frames(op), spans);
  }
  lanes_state_[static_cast<std::size_t>(lane)].ticks = ticks;
}

}  // namespace rtaudio
