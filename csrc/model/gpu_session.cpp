#include "model/gpu_session.h"

#include <algorithm>

#include "model/placement.h"
#include "model/recorder.h"

namespace rtaudio {
namespace {

// Places of a piece of memory, one after the other, each at a whole cache line.
class Layout {
 public:
  std::size_t add(std::size_t bytes) {
    const std::size_t at = size_;
    size_ += (bytes + 63) / 64 * 64;
    return at;
  }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
};

std::size_t floats(std::int64_t n) { return static_cast<std::size_t>(n) * sizeof(float); }

}  // namespace

GpuSession::GpuSession(const Model& model, int lanes, int max_ticks, std::size_t lane_floats,
                       std::span<const std::size_t> state_offsets)
    : model_(model),
      lanes_(lanes),
      max_ticks_(max_ticks),
      lane_floats_((lane_floats + 31) / 16 * 16),
      queue_(model.gpu().make_queue()) {
  const std::size_t operations = model.operations().size();
  states_ = queue_->allocate(floats(lanes * static_cast<std::int64_t>(lane_floats_)));
  clocks_ = queue_->allocate(static_cast<std::size_t>(lanes) * (operations + 2) * 8);
  ticks_ = reinterpret_cast<std::int64_t*>(clocks_.get());
  prompts_ = reinterpret_cast<const float**>(ticks_ + lanes);
  lengths_ = ticks_ + 2 * lanes;
  prompt_memory_.resize(static_cast<std::size_t>(lanes));
  exchange_ = lay_out();
  const Placement placement = place_buffers(model, max_ticks, SIZE_MAX / 16);
  // Once to see how much scratch there has to be.
  record(state_offsets, {}, placement.offsets, {});
  const std::size_t each = placement.floats + scratch_floats_ + 16;
  const std::size_t bytes = floats(lanes * static_cast<std::int64_t>(each));
  signals_ = queue_->allocate(bytes);
  queue_->forget(signals_.get(), bytes);
  const gpu::Memory buffers{reinterpret_cast<float*>(signals_.get()),
                            static_cast<std::int64_t>(each)};
  record(state_offsets, buffers, placement.offsets,
         buffers.after(static_cast<std::int64_t>(placement.floats)));
  queue_->prepare(program_, exchange_, max_ticks);
}

gpu::Exchange GpuSession::lay_out() {
  const BufferSpec& in = model_.input();
  const BufferSpec& out = model_.output();
  const std::int64_t ticks = std::int64_t{lanes_} * max_ticks_;
  Layout layout;
  const std::size_t ports = layout.add(sizeof(gpu::Ports));
  const std::size_t held = layout.add(static_cast<std::size_t>(lanes_) * sizeof(std::int32_t));
  std::vector<std::size_t> controls;
  for (const Model::Operation& op : model_.operations()) {
    const int frames = model_.buffers()[static_cast<std::size_t>(op.inputs[0])].frames;
    controls.push_back(op.control < 0 ? SIZE_MAX
                                      : layout.add(floats(std::int64_t{frames} * max_ticks_)));
  }
  const std::size_t input = layout.add(floats(ticks * in.frames * in.channels));
  const std::size_t output = layout.add(floats(ticks * out.frames * out.channels));
  staging_ = queue_->allocate(layout.size());
  pinned_ = queue_->allocate_pinned(layout.size());
  std::fill_n(pinned_.get(), layout.size(), '\0');
  ports_ = reinterpret_cast<gpu::Ports*>(pinned_.get() + ports);
  held_ = reinterpret_cast<std::int32_t*>(pinned_.get() + held);
  for (const std::size_t at : controls) {
    controls_.push_back(at == SIZE_MAX ? nullptr : reinterpret_cast<float*>(pinned_.get() + at));
  }
  input_ = reinterpret_cast<float*>(pinned_.get() + input);
  output_ = reinterpret_cast<float*>(pinned_.get() + output);
  return {pinned_.get(), staging_.get(), output, output, layout.size() - output};
}

void GpuSession::record(std::span<const std::size_t> state_offsets, gpu::Memory buffers,
                        const std::vector<std::size_t>& buffer_offsets, gpu::Memory scratch) {
  program_.sections.assign(1, {});
  owned_.clear();
  scratch_floats_ = 0;
  const gpu::Memory states{reinterpret_cast<float*>(states_.get()),
                           static_cast<std::int64_t>(lane_floats_)};
  const auto signal = [&](int index) {
    const auto i = static_cast<std::size_t>(index);
    const BufferSpec& b = model_.buffers()[i];
    return gpu::Signal{buffers.after(static_cast<std::int64_t>(buffer_offsets[i])),
                       row_floats(b.channels), b.channels, b.frames};
  };
  const auto timing = [&](int buffer, std::size_t operation) {
    const BufferSpec& b = model_.buffers()[static_cast<std::size_t>(buffer)];
    return gpu::Timing{ticks_,
                       on_device(held_),
                       lengths_ + operation,
                       static_cast<int>(model_.operations().size()),
                       lanes_,
                       b.frames,
                       b.delay};
  };
  const gpu::Timing first = timing(model_.input_buffer(), 0);
  program_.sections[0].works.push_back(
      gpu::Enter{first, on_device(ports_), signal(model_.input_buffer())});
  for (std::size_t i = 0; i < model_.operations().size(); ++i) {
    const Model::Operation& op = model_.operations()[i];
    const float* const control = controls_[i];
    std::vector<gpu::Signal> inputs;
    for (const int input : op.inputs) inputs.push_back(signal(input));
    Recorder recorder({program_, model_.gpu().tables(), *queue_, owned_, on_device(ports_),
                       prompts_, model_.gpu().tensor_cores()},
                      {timing(op.inputs[0], i), std::move(inputs), signal(op.output),
                       states.after(static_cast<std::int64_t>(state_offsets[i])), scratch,
                       timing(op.inputs[0], i).frames * max_ticks_,
                       control == nullptr ? nullptr : on_device(control)});
    op.layer->record(recorder);
    scratch_floats_ = std::max(scratch_floats_, recorder.scratch_floats());
  }
  program_.sections.back().works.push_back(
      gpu::Leave{first, on_device(ports_), signal(model_.output_buffer())});
  program_.sections.back().works.push_back(gpu::Advance{ticks_, on_device(held_), lanes_});
}

void GpuSession::write(int lane, const float* memory, std::int64_t ticks,
                       std::span<const float> prompt) {
  const auto at = static_cast<std::size_t>(lane);
  std::shared_ptr<char>& own = prompt_memory_[at];
  if (!prompt.empty()) {
    own = queue_->allocate(prompt.size_bytes());
    queue_->write(own.get(), prompt.data(), prompt.size_bytes());
    const char* const there = own.get();
    queue_->write(prompts_ + at, &there, sizeof there);
  }
  queue_->write(states_.get() + at * lane_floats_ * sizeof(float), memory,
                lane_floats_ * sizeof(float));
  queue_->write(ticks_ + lane, &ticks, sizeof ticks);
  const std::vector<std::int64_t> endless(model_.operations().size(), kEndless);
  queue_->write(lengths_ + at * endless.size(), endless.data(), endless.size() * 8);
}

void GpuSession::read(int lane, float* memory) const {
  queue_->read(memory, states_.get() + static_cast<std::size_t>(lane) * lane_floats_ * 4,
               lane_floats_ * 4);
}

void GpuSession::set_lengths(int lane, std::span<const std::int64_t> lengths) {
  std::vector<std::int64_t> shortest;
  for (const Model::Operation& op : model_.operations()) {
    std::int64_t length = kEndless;
    for (const int input : op.inputs) {
      length = std::min(length, lengths[static_cast<std::size_t>(input)]);
    }
    shortest.push_back(length);
  }
  queue_->write(lengths_ + static_cast<std::size_t>(lane) * shortest.size(), shortest.data(),
                shortest.size() * 8);
}

void GpuSession::process(const float* input, std::ptrdiff_t input_step, float* output,
                         std::ptrdiff_t output_step, int num_ticks, bool whole) {
  const std::int64_t in = std::int64_t{model_.input().frames} * model_.input().channels;
  const std::int64_t out = std::int64_t{model_.output().frames} * model_.output().channels;
  *ports_ = {on_device(input_), in * max_ticks_, on_device(output_),
             out * max_ticks_,  whole,           num_ticks};
  for (int lane = 0; lane < lanes_; ++lane) {
    if (held_[lane] != 0) continue;
    std::copy_n(input + lane * input_step, in * num_ticks, input_ + lane * in * max_ticks_);
  }
  queue_->call(program_, exchange_, num_ticks);
  for (int lane = 0; lane < lanes_; ++lane) {
    if (held_[lane] != 0) continue;
    std::copy_n(output_ + lane * out * max_ticks_, out * num_ticks, output + lane * output_step);
  }
}

void GpuSession::process_on(void* stream, const gpu::Ports& ports) {
  *ports_ = ports;
  queue_->call_on(stream, program_, exchange_, ports.ticks);
}

}  // namespace rtaudio
