#include "model/session.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "cpu/denormals.h"
#include "cpu/isa.h"
#include "model/placement.h"

namespace rtaudio {
namespace {

constexpr int kMaxLanes = 1 << 14;
constexpr int kMaxThreads = 64;
constexpr std::size_t kMaxLaneFloats = std::size_t{1} << 28;  // of state: 1 GiB
// The most frames that go through a matrix together: enough to be bound by arithmetic and not by
// reads of the weights, few enough that a batch's signals stay in the cache.
constexpr int kBatchLanes = 16;
constexpr std::int64_t kLongAgo = std::int64_t{1} << 40;  // ticks after which no ramp moves

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

bool is_possible(const Session::Ramp& ramp) {
  return std::isfinite(ramp.from) && std::isfinite(ramp.to) && ramp.ticks >= 0 &&
         ramp.ticks <= kLongAgo;
}

}  // namespace

Session::Session(std::shared_ptr<const Model> model, int lanes, int max_ticks, double ramp_frames,
                 std::vector<float> controls, int threads, std::size_t max_floats)
    : model_(std::move(model)),
      kernels_(&select_kernels()),
      lanes_(lanes),
      max_ticks_(max_ticks),
      ramp_frames_(std::max(ramp_frames, 1.0)),
      batch_ticks_(std::max(max_ticks, std::min(lanes, kBatchLanes))),
      desks_(static_cast<std::size_t>(std::clamp(threads, 1, kMaxThreads))) {
  if (lanes < 1 || lanes > kMaxLanes) {
    throw std::invalid_argument("a session of " + std::to_string(lanes) +
                                " lanes is not possible; ask for 1 to " +
                                std::to_string(kMaxLanes));
  }
  if (max_ticks < 1 || max_ticks > 1 << 20) {
    throw std::invalid_argument("max_ticks is " + std::to_string(max_ticks) +
                                "; it must be 1 to 1048576");
  }
  if (threads > 1 && model_->on_gpu()) {
    throw std::invalid_argument(std::to_string(threads) +
                                " threads are for the CPU; a model on a GPU runs with one");
  }
  if (threads < 1 || threads > kMaxThreads || (threads > 1 && lanes > 1)) {
    throw std::invalid_argument(std::to_string(threads) + " threads for " + std::to_string(lanes) +
                                " lanes are not possible; give one lane 1 to " +
                                std::to_string(kMaxThreads) + ", several lanes one");
  }
  if (!std::isfinite(ramp_frames)) {
    throw std::invalid_argument("ramp_frames is not finite; give a number of frames");
  }
  std::vector<Ramp> ramps;
  for (const float value : controls) ramps.push_back({value, value, 0});
  set_ramps(ramps);
  Placement placement = place_buffers(*model_, batch_ticks_, max_floats);
  buffer_offsets_ = std::move(placement.offsets);
  const std::size_t floats = placement.floats;
  std::size_t scratch = 16;
  std::size_t most_inputs = 1, num_inputs = 0;
  int most_frames = 1;
  for (const Model::Operation& op : model_->operations()) {
    state_offsets_.push_back(lane_floats_);
    const int num_parts = op.layer->num_parts();
    for (int i = 0; i < num_parts; ++i) {
      parts_.push_back(
          {state_offsets_.size() - 1, i, op.layer.get(), op.layer->stateless(), num_parts == 1});
    }
    const BufferSpec& in = model_->buffers()[static_cast<std::size_t>(op.inputs[0])];
    wiring_.push_back({in.delay, in.frames, max_frames(op), op.output, op.control,
                       buffer_offsets_[static_cast<std::size_t>(op.output)], op.inputs,
                       num_inputs});
    num_inputs += op.inputs.size();
    const std::int64_t frames =
        std::int64_t{model_->buffers()[static_cast<std::size_t>(op.inputs[0])].frames} *
        batch_ticks_ * threads;
    if (frames > 1 << 26) {
      throw std::length_error("a call of " + std::to_string(frames) +
                              " frames is too long; ask for fewer ticks");
    }
    lane_floats_ = checked_sum(lane_floats_, op.layer->state_floats(max_frames(op)),
                               std::min(max_floats, kMaxLaneFloats));
    scratch = std::max(scratch, op.layer->scratch_floats(static_cast<int>(frames)));
    most_inputs = std::max(most_inputs, op.inputs.size());
    most_frames = std::max(most_frames, max_frames(op));
  }
  std::size_t all = 0;
  for (int i = 0; i < threads; ++i) {
    all = checked_sum(checked_sum(all, floats, max_floats), scratch, max_floats);
  }
  const int here = model_->on_gpu() ? 1 : lanes;
  for (int lane = 0; lane < here; ++lane) all = checked_sum(all, lane_floats_, max_floats);
  const auto batch = static_cast<std::size_t>(std::min(lanes, kBatchLanes));
  for (Desk& desk : desks_) {
    desk.buffers = make_aligned_floats(floats);
    desk.scratch = make_aligned_floats(scratch);
    if (model_->num_controls() > 0) {
      desk.control_values.resize(static_cast<std::size_t>(most_frames));
    }
    desk.inputs.resize(batch * most_inputs);
    desk.batch.resize(batch);
    desk.calls.reserve(batch);
    desk.first_inputs.reserve(num_inputs);
    for (const Model::Operation& op : model_->operations()) {
      for (const int input : op.inputs) {
        desk.first_inputs.push_back(rows_of(desk, input, 0, 0));
      }
    }
  }
  state_ = make_aligned_floats(lane_floats_ * static_cast<std::size_t>(here) + 32);
  memory_ = state_.get();
  lanes_state_.resize(static_cast<std::size_t>(lanes));
  if (model_->on_gpu()) {
    gpu_ = std::make_unique<GpuSession>(*model_, lanes, max_ticks, lane_floats_, state_offsets_);
  }
  for (int lane = 0; lane < lanes; ++lane) reset(lane);
}

int Session::max_frames(const Model::Operation& op) const {
  return model_->buffers()[static_cast<std::size_t>(op.inputs[0])].frames * max_ticks_ * threads();
}

void Session::reset(int lane) noexcept {
  Lane& l = lanes_state_[static_cast<std::size_t>(lane)];
  std::fill_n(lane_memory(lane), lane_floats_, 0.0f);
  for (std::size_t i = 0; i < state_offsets_.size(); ++i) {
    model_->operations()[i].layer->reset(state_of(lane, i));
    model_->operations()[i].layer->configure(state_of(lane, i), l.settings);
  }
  l.ticks = 0;
  l.ended = false;
  give_memory(lane);
}

void Session::give_memory(int lane) noexcept {
  if (gpu_ == nullptr) return;
  try {
    gpu_->write(lane, memory_, ticks(lane),
                lanes_state_[static_cast<std::size_t>(lane)].settings.prompt);
  } catch (const std::exception& error) {
    model_->gpu().fail(error.what());
  }
}

void Session::borrow(float* memory, std::span<const std::int64_t> ticks) noexcept {
  memory_ = memory;
  for (std::size_t lane = 0; lane < lanes_state_.size(); ++lane) {
    lanes_state_[lane].ticks = ticks[lane];
    lanes_state_[lane].ended = false;
  }
}

void Session::end(int lane, std::int64_t source_length) {
  Lane& l = lanes_state_[static_cast<std::size_t>(lane)];
  model_->lengths(source_length, l.lengths);
  l.ended = true;
  if (gpu_ != nullptr) gpu_->set_lengths(lane, l.lengths);
}

void Session::set_control(int index, float value) noexcept {
  if (!std::isfinite(value)) return;
  Ramp& ramp = ramps_[static_cast<std::size_t>(index)];
  const double elapsed = static_cast<double>(ramp.ticks) * model_->input().frames;
  const auto share = static_cast<float>(std::min(1.0, elapsed / ramp_frames_));
  ramp = {ramp.from + share * (ramp.to - ramp.from), value, 0};
}

void Session::settle_controls() noexcept {
  for (Ramp& ramp : ramps_) ramp = {ramp.to, ramp.to, 0};
}

void Session::set_ramps(std::span<const Ramp> ramps) {
  if (static_cast<int>(ramps.size()) != model_->num_controls()) {
    throw std::invalid_argument("the model has " + std::to_string(model_->num_controls()) +
                                " controls, not " + std::to_string(ramps.size()));
  }
  if (!std::all_of(ramps.begin(), ramps.end(), is_possible)) {
    throw std::invalid_argument(
        "a control's value or its time is impossible; give a finite number");
  }
  ramps_.assign(ramps.begin(), ramps.end());
}

const float* Session::control_values(Desk& desk, int index, Ticks ticks,
                                     int frames_per_tick) noexcept {
  const Ramp& ramp = ramps_[static_cast<std::size_t>(index)];
  const double frames_each = static_cast<double>(model_->input().frames) / frames_per_tick;
  // Frames are counted whole from the ramp's begin, so that no split of a call rounds differently.
  const std::int64_t before = (ramp.ticks + ticks.before) * frames_per_tick;
  for (int t = 0; t < ticks.count * frames_per_tick; ++t) {
    const double at = static_cast<double>(before + t + 1) * frames_each / ramp_frames_;
    desk.control_values[static_cast<std::size_t>(t)] =
        at >= 1.0 ? ramp.to : ramp.from + static_cast<float>(at) * (ramp.to - ramp.from);
  }
  return desk.control_values.data();
}

void Session::process(const float* input, std::ptrdiff_t input_step, float* output,
                      std::ptrdiff_t output_step, int num_ticks) noexcept {
  const FlushDenormals guard;
  if (gpu_ != nullptr) {
    // The driver's calls are what they are.
    RTA_WAKE(process_on_gpu(input, input_step, output, output_step, num_ticks));
    advance(num_ticks);
    return;
  }
  Desk& desk = desks_[0];
  const Ticks ticks{0, num_ticks};
  const int most =
      std::clamp(batch_ticks_ / std::max(num_ticks, 1), 1, static_cast<int>(desk.batch.size()));
  for (int lane = 0; lane < lanes_;) {
    lane = choose_batch(desk, lane, most);
    take(desk, input, input_step, ticks);
    for (const Part& part : parts_) run(desk, part, ticks);
    give(desk, output, output_step, ticks);
  }
  advance(num_ticks);
}

void Session::hold_on_gpu(int lane, bool held) noexcept {
  try {
    gpu_->wait();
    gpu_->hold(lane, held);
  } catch (const std::exception& error) {
    model_->gpu().fail(error.what());
  }
}

void Session::give_controls(int num_ticks) noexcept {
  for (std::size_t i = 0; i < model_->operations().size(); ++i) {
    float* const to = gpu_->control(i);
    if (to == nullptr) continue;
    const Model::Operation& op = model_->operations()[i];
    const int frames = model_->buffers()[static_cast<std::size_t>(op.inputs[0])].frames;
    std::copy_n(control_values(desks_[0], op.control, {0, num_ticks}, frames), num_ticks * frames,
                to);
  }
}

void Session::process_on(void* stream, const float* input, std::ptrdiff_t input_step, float* output,
                         std::ptrdiff_t output_step, int num_ticks) {
  gpu_->wait();
  give_controls(num_ticks);
  gpu_->process_on(stream, {input, input_step, output, output_step, whole_ ? 1 : 0, num_ticks});
  advance(num_ticks);
}

void Session::process_on_gpu(const float* input, std::ptrdiff_t input_step, float* output,
                             std::ptrdiff_t output_step, int num_ticks) noexcept {
  try {
    gpu_->wait();
    give_controls(num_ticks);
    gpu_->process(input, input_step, output, output_step, num_ticks, whole_);
  } catch (const std::exception& error) {
    model_->gpu().fail(error.what());
    const std::ptrdiff_t floats =
        std::ptrdiff_t{num_ticks} * model_->output().frames * model_->output().channels;
    for (int lane = 0; lane < lanes_; ++lane) {
      if (!lanes_state_[static_cast<std::size_t>(lane)].held) {
        std::fill_n(output + lane * output_step, floats, 0.0f);
      }
    }
  }
}

void Session::enter(int desk, const float* input, Ticks ticks) noexcept {
  Desk& own = desks_[static_cast<std::size_t>(desk)];
  choose_batch(own, 0, 1);
  take(own, input, 0, ticks);
}

void Session::run_part(int desk, int part, Ticks ticks) noexcept {
  run(desks_[static_cast<std::size_t>(desk)], parts_[static_cast<std::size_t>(part)], ticks);
}

void Session::leave(int desk, float* output, Ticks ticks) noexcept {
  give(desks_[static_cast<std::size_t>(desk)], output, 0, ticks);
}

void Session::advance(int num_ticks) noexcept {
  for (Lane& lane : lanes_state_) lane.ticks += lane.held ? 0 : num_ticks;
  for (Ramp& ramp : ramps_) ramp.ticks = std::min(ramp.ticks + num_ticks, kLongAgo);
}

int Session::choose_batch(Desk& desk, int lane, int most) noexcept {
  desk.count = 0;
  for (; lane < lanes_ && desk.count < most; ++lane) {
    if (lanes_state_[static_cast<std::size_t>(lane)].held) continue;
    desk.batch[static_cast<std::size_t>(desk.count++)] = lane;
  }
  return lane;
}

void Session::take(Desk& desk, const float* input, std::ptrdiff_t input_step,
                   Ticks ticks) noexcept {
  const BufferSpec& in = model_->input();
  input += std::ptrdiff_t{ticks.before} * in.frames * in.channels;
  for (std::size_t slot = 0; slot < desk.lanes().size(); ++slot) {
    copy_rows(input + desk.batch[slot] * input_step, in.channels,
              rows_of(desk, model_->input_buffer(), slot, ticks.count), row_floats(in.channels),
              in.channels, ticks.count * in.frames);
  }
}

void Session::give(Desk& desk, float* output, std::ptrdiff_t output_step, Ticks ticks) noexcept {
  const BufferSpec& out = model_->output();
  output += std::ptrdiff_t{ticks.before} * out.frames * out.channels;
  for (std::size_t slot = 0; slot < desk.lanes().size(); ++slot) {
    copy_rows(rows_of(desk, model_->output_buffer(), slot, ticks.count), row_floats(out.channels),
              output + desk.batch[slot] * output_step, out.channels, out.channels,
              ticks.count * out.frames);
  }
}

float* Session::rows_of(Desk& desk, int buffer, std::size_t slot, int num_ticks) noexcept {
  const auto index = static_cast<std::size_t>(buffer);
  const BufferSpec& b = model_->buffers()[index];
  return desk.buffers.get() + buffer_offsets_[index] +
         slot * static_cast<std::size_t>(num_ticks * b.frames) *
             static_cast<std::size_t>(row_floats(b.channels));
}

void Session::run(Desk& desk, const Part& part, Ticks ticks) noexcept {
  const Layer& layer = *part.layer;
  const auto count = desk.lanes().size();
  if (count == 0) return;
  if (part.is_stateless) {
    Call all = make_call(desk, 0, part.operation, ticks);
    all.num_frames *= static_cast<int>(count);
    all.valid_begin = 0;
    all.valid_end = all.num_frames;
    layer.process(all);
    return;
  }
  if (count == 1 && part.is_whole) {
    layer.process(make_call(desk, 0, part.operation, ticks));
    return;
  }
  desk.calls.clear();
  for (std::size_t slot = 0; slot < count; ++slot) {
    desk.calls.push_back(make_call(desk, slot, part.operation, ticks));
  }
  if (part.is_whole) {
    layer.process_lanes(desk.calls);
  } else {
    for (const Call& call : desk.calls) layer.process_part(call, part.index);
  }
}

Call Session::make_call(Desk& desk, std::size_t slot, std::size_t index, Ticks ticks) noexcept {
  const Wiring& wiring = wiring_[index];
  const int lane_index = desk.batch[slot];
  const Lane& lane = lanes_state_[static_cast<std::size_t>(lane_index)];
  const int num_frames = wiring.frames * ticks.count;
  const std::int64_t position = (lane.ticks + ticks.before) * wiring.frames;
  const std::size_t num_inputs = wiring.inputs.size();
  const float* const* inputs = desk.first_inputs.data() + wiring.first_inputs;
  float* output = desk.buffers.get() + wiring.output_offset;
  if (slot > 0) {
    const float** own = desk.inputs.data() + slot * num_inputs;
    for (std::size_t i = 0; i < num_inputs; ++i) {
      own[i] = rows_of(desk, wiring.inputs[i], slot, ticks.count);
    }
    inputs = own;
    output = rows_of(desk, wiring.output, slot, ticks.count);
  }
  std::int64_t shortest = INT64_MAX / 2;
  for (std::size_t i = 0; lane.ended && i < num_inputs; ++i) {
    shortest = std::min(shortest, lane.lengths[static_cast<std::size_t>(wiring.inputs[i])]);
  }
  const auto clip = [num_frames](std::int64_t t) {
    return static_cast<int>(std::clamp<std::int64_t>(t, 0, num_frames));
  };
  const int begin = clip(wiring.delay - position);
  const int end = std::max(begin, clip(wiring.delay + shortest - position));
  return {
      *kernels_,
      {inputs, num_inputs},
      output,
      num_frames,
      wiring.max_frames,
      begin,
      end,
      position,
      state_of(lane_index, index),
      desk.scratch.get(),
      wiring.control >= 0 ? control_values(desk, wiring.control, ticks, wiring.frames) : nullptr,
      whole_};
}

bool Session::can_save(int lane) const {
  if (gpu_ != nullptr) gpu_->read(lane, memory_);
  for (std::size_t i = 0; i < state_offsets_.size(); ++i) {
    if (!model_->operations()[i].layer->can_save(state_of(lane, i))) return false;
  }
  return true;
}

std::vector<Session::StateTensor> Session::save(int lane) const {
  if (gpu_ != nullptr) gpu_->read(lane, memory_);
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
  lanes_state_[static_cast<std::size_t>(lane)].settings.prompt.clear();  // that is past
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
  give_memory(lane);
}

}  // namespace rtaudio
