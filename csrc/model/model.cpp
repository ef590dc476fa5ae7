#include "model/model.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>

namespace rtaudio {
namespace {

constexpr std::size_t kMaxOperations = 20'000;
constexpr int kMaxChannels = 1 << 18;
constexpr int kMaxFrames = 1 << 20;
constexpr std::int64_t kMaxBufferFloats = 1 << 26;
constexpr std::int64_t kMaxWeights = 1 << 30;  // as many as a model file may hold
constexpr std::int64_t kMaxSourceFrames = std::int64_t{1} << 40;

[[noreturn]] void fail(const std::string& what) {
  throw std::invalid_argument("the program " + what + "; export the model again");
}

// The tensor's number of values. Bounded, so that every product of its sizes fits an int.
std::int64_t checked_size(const std::string& name, const Tensor& tensor) {
  std::int64_t size = 1;
  for (const std::int64_t n : tensor.shape) {
    if (n < 1 || n > kMaxWeights / size) fail("has a tensor of impossible size: " + name);
    size *= n;
  }
  if (static_cast<std::size_t>(size) != tensor.data.size()) {
    fail("has a tensor whose values do not fill its shape: " + name);
  }
  return size;
}

constexpr const char* kLoop = "feedback";

// How many of the operations behind it are its own to run.
std::size_t loop_length(const OperationSpec& spec) {
  return spec.kind == kLoop ? static_cast<std::size_t>(spec.ints.at("operations")) : 0;
}

// Which buffers may be read where: each is written once, before it is read, and those inside a
// loop, which hold one frame, are not seen outside of it, nor others inside.
class Scopes {
 public:
  explicit Scopes(const ProgramSpec& program) : program_(program), owner_(program.buffers.size()) {
    write(program.input);
  }

  void visit(int index) {
    const OperationSpec& op = program_.operations[static_cast<std::size_t>(index)];
    if (index == loop_end_) leave();
    if (op.inputs.empty()) fail("has an operation without an input");
    for (const int input : op.inputs) {
      if (!known(input) || owner_[static_cast<std::size_t>(input)] != scope_) {
        fail("reads buffer " + std::to_string(input) + " before it is written");
      }
    }
    write(op.output);
    if (op.kind == kLoop) enter(op, index);
  }

  void finish() {
    if (loop_end_ > static_cast<int>(program_.operations.size())) fail("ends inside a loop");
    leave();
    if (!known(program_.output) || owner_[static_cast<std::size_t>(program_.output)] != scope_) {
      fail("never writes its output");
    }
  }

 private:
  bool known(int buffer) const {
    return buffer >= 0 && static_cast<std::size_t>(buffer) < owner_.size();
  }

  void write(int buffer) {
    if (!known(buffer)) fail("names a buffer that does not exist");
    if (owner_[static_cast<std::size_t>(buffer)] != 0) {
      fail("writes buffer " + std::to_string(buffer) + " twice");
    }
    const BufferSpec& b = program_.buffers[static_cast<std::size_t>(buffer)];
    if (scope_ != 1 && (b.frames != 1 || b.delay != 0)) {
      fail("has a buffer of more than one frame inside a loop");
    }
    owner_[static_cast<std::size_t>(buffer)] = scope_;
  }

  void enter(const OperationSpec& op, int index) {
    if (scope_ != 1) fail("has a loop inside a loop");
    const auto number = [&op](const char* name) {
      const auto found = op.ints.find(name);
      return found == op.ints.end() || found->second < 0 || found->second > 1 << 20
                 ? -1
                 : static_cast<int>(found->second);
    };
    const int count = number("operations");
    result_ = number("result");
    if (count < 0 || !known(result_)) fail("has a loop without operations or a result");
    scope_ = index + 2;
    loop_end_ = index + 1 + count;
    write(number("source"));
  }

  void leave() {
    if (scope_ != 1 && owner_[static_cast<std::size_t>(result_)] != scope_) {
      fail("has a loop that does not write its result");
    }
    scope_ = 1;
    loop_end_ = -1;
  }

  const ProgramSpec& program_;
  std::vector<int> owner_;  // 0: not written, 1: outside, else a loop's number
  int scope_ = 1;
  int loop_end_ = -1;
  int result_ = 0;
};

}  // namespace

Model::Model(const ProgramSpec& program, Precision precision)
    : buffers_(program.buffers),
      input_(program.input),
      output_(program.output),
      num_controls_(program.num_controls),
      precision_(std::move(precision)) {
  check(program);
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    const OperationSpec& spec = program.operations[i];
    operations_.push_back({make_layer(LayerContext(program, static_cast<int>(i), precision_)),
                           spec.inputs, spec.output, spec.control});
    i += loop_length(spec);
  }
  precision_.packed.clear();
  if (precision_.device != Device::cpu) {
    gpu_ =
        std::make_unique<GpuModel>(precision_.device == Device::emulated, precision_.tensor_cores);
  }
}

std::string Model::fault() const { return gpu_ == nullptr ? std::string() : gpu_->fault(); }

void Model::check(const ProgramSpec& program) const {
  if (program.operations.size() > kMaxOperations || buffers_.size() > kMaxOperations + 1) {
    fail("has too many operations");
  }
  if (num_controls_ < 0 || num_controls_ > 1024) fail("has too many controls");
  for (const BufferSpec& b : buffers_) {
    if (b.channels < 1 || b.channels > kMaxChannels || b.frames < 1 || b.frames > kMaxFrames ||
        b.delay < 0 || b.delay > kMaxFrames ||
        std::int64_t{row_floats(b.channels)} * b.frames > kMaxBufferFloats) {
      fail("has a buffer of impossible size (" + std::to_string(b.channels) + " channels, " +
           std::to_string(b.frames) + " frames, delay " + std::to_string(b.delay) + ")");
    }
  }
  std::map<std::string, std::int64_t> sizes;
  for (const auto& [name, tensor] : program.tensors) sizes[name] = checked_size(name, tensor);
  std::int64_t weights = 0;
  Scopes scopes(program);
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    const OperationSpec& op = program.operations[i];
    scopes.visit(static_cast<int>(i));
    if (op.control < -1 || op.control >= num_controls_) fail("names a control that does not exist");
    // A tensor may be named often, and each operation packs its own copy.
    for (const auto& [slot, name] : op.tensors) {
      const auto found = sizes.find(name);
      if (found != sizes.end()) weights += found->second;
      if (weights > kMaxWeights) fail("uses more than 4 GiB of weights");
    }
  }
  scopes.finish();
}

void Model::lengths(std::int64_t source_length, std::vector<std::int64_t>& out) const {
  out.assign(buffers_.size(), 0);
  // No signal is longer; the sums below stay far from their limits.
  source_length = std::clamp<std::int64_t>(source_length, 0, kMaxSourceFrames);
  out[static_cast<std::size_t>(input_)] = source_length;
  for (const Operation& op : operations_) {
    std::int64_t shortest = out[static_cast<std::size_t>(op.inputs[0])];
    for (const int input : op.inputs) {
      shortest = std::min(shortest, out[static_cast<std::size_t>(input)]);
    }
    out[static_cast<std::size_t>(op.output)] = op.layer->out_length(shortest);
  }
}

std::int64_t Model::output_length(std::int64_t source_length) const {
  source_length = std::clamp<std::int64_t>(source_length, 0, kMaxSourceFrames);
  std::vector<std::int64_t> all;
  lengths(source_length, all);
  const std::int64_t in = input().frames;
  const std::int64_t wanted = (source_length * output().frames + in - 1) / in;
  return std::min(wanted, all[static_cast<std::size_t>(output_)]);
}

}  // namespace rtaudio
