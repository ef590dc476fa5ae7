// One operation of a program: immutable, shared by every session of a model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/platform.h"
#include "cpu/pack.h"
#include "model/program.h"

namespace rtaudio {

// Channels [begin, end) of a row.
struct ChannelRange {
  int begin = 0;
  int end = 0;
};

// Where one call reads and writes. Rows of input i are row_floats(channels) floats apart.
struct Call {
  const Kernels& kernels;
  std::span<const float* const> inputs;
  float* output;
  int num_frames;   // of the inputs
  int max_frames;   // the most that calls under way may bring, as given to state_floats
  int valid_begin;  // input frames [valid_begin, valid_end) belong to the signal
  int valid_end;
  std::int64_t position;  // input frames seen before this call
  float* state;
  float* scratch;
  const float* control;  // one value a frame, null where the layer has no control port
  bool whole = false;    // the call brings the whole signal, and nothing follows
  // Inside a loop: this is call `step` of `steps` of one frame in which these channels of each
  // input stay the same, and so does what follows from them alone. The lanes are the same too, and
  // the scratch is as the step before left it.
  std::span<const ChannelRange> held = {};
  int step = 0;
  int steps = 1;
};

// A piece of a layer's state in canonical form: [channels][frames], oldest frame first.
struct StateSpec {
  std::string name;
  int channels;
  int frames;
};

// What a lane is given when it is reset, besides its signals.
struct LaneSettings {
  std::uint32_t seed = 0;  // of its noise, with the number of its stream
  std::uint32_t stream = 0;
  std::vector<float> constants;  // of all constant ports, one after the other
  std::vector<float> prompt;     // the first values of a loop, which it would else draw
};

class Recorder;

class Layer {
 public:
  virtual ~Layer() = default;

  // Floats of state for calls of up to `max_frames` input frames, and of scratch for a call or a
  // batch of calls of up to `frames` in all.
  virtual std::size_t state_floats(int /*max_frames*/) const { return 0; }
  virtual std::size_t scratch_floats(int /*frames*/) const { return 0; }
  // Start values of a state that is all zeros already.
  virtual void reset(float* /*state*/) const noexcept {}
  // `settings` outlive the state's use.
  virtual void configure(float* /*state*/, const LaneSettings& /*settings*/) const noexcept {}
  // False while the state says less than what the lane was given: a prompt is not yet used up.
  virtual bool can_save(const float* /*state*/) const { return true; }
  virtual void process(const Call& call) const noexcept RTA_NONBLOCKING = 0;

  // Parts that make up process() where they run in order. While one is at a call, the part before
  // it may be at the next one, in another thread: state is laid out for max_frames of both
  // together.
  virtual int num_parts() const { return 1; }
  virtual void process_part(const Call& call, int /*part*/) const noexcept RTA_NONBLOCKING {
    process(call);
  }

  // True where a frame out follows from its frame in alone, in one lane as in another: frames of
  // several lanes, which lie one after the other, are then one call's.
  virtual bool stateless() const { return false; }
  // Writes what process() does as works of a GPU. The state's layout is the same.
  virtual void record(Recorder& to) const;
  // The output's channels that follow from these of the inputs alone, where not all or none do; a
  // call need not write them again while those stay the same.
  virtual ChannelRange held_outputs(std::span<const ChannelRange> /*inputs*/) const { return {}; }
  // As many frames of each of several lanes: to read the weights once for all of them.
  virtual void process_lanes(std::span<const Call> calls) const noexcept RTA_NONBLOCKING {
    for (const Call& call : calls) process(call);
  }

  // Valid frames out for valid frames in.
  virtual std::int64_t out_length(std::int64_t length) const { return length; }

  // Canonical state: `save` fills one span a spec, `load` reads it back.
  virtual std::vector<StateSpec> state_specs() const { return {}; }
  virtual void save(const float* /*state*/, std::int64_t /*position*/, int /*max_frames*/,
                    std::span<const std::span<float>> /*out*/) const {}
  virtual void load(float* /*state*/, std::int64_t /*position*/, int /*max_frames*/,
                    std::span<const std::span<const float>> /*in*/) const {}
};

// Where a model runs. cuda_strict: with the CPU's order of sums, and so its bits; emulated: the
// host in a GPU's place, to test it.
enum class Device { cpu, cuda, cuda_strict, emulated };

// What the matrices of a model are stored in. int8 needs `input_ranges`: the largest |x| of
// each input of a matrix, by its tensor's name. A model built to `calibrate` (in fp32) notes them
// while it runs, so it may run in one thread only. `exceptions`: matrices in a format of their own.
struct Precision {
  WeightFormat format = WeightFormat::fp32;
  bool calibrate = false;
  std::map<std::string, std::vector<float>> input_ranges;
  std::map<std::string, WeightFormat> exceptions;
  Device device = Device::cpu;
  bool tensor_cores = false;  // a GPU may use them, in their own order of sums
  // What has been packed: operations that name the same tensors share one matrix.
  std::map<std::string, PackedWeights> packed;
};

// What a layer is built from, with checks that fail in a sentence.
class LayerContext {
 public:
  LayerContext(const ProgramSpec& program, int index, Precision& precision)
      : program_(program), index_(index), precision_(precision) {}

  // The context of another operation of the program.
  LayerContext at(int index) const { return {program_, index, precision_}; }
  int index() const { return index_; }
  const ProgramSpec& program() const { return program_; }

  const OperationSpec& spec() const {
    return program_.operations[static_cast<std::size_t>(index_)];
  }
  const BufferSpec& input(std::size_t i = 0) const;
  const BufferSpec& output() const;
  int num_inputs() const { return static_cast<int>(spec().inputs.size()); }

  int integer(const std::string& name, std::int64_t low, std::int64_t high) const;
  int optional_integer(const std::string& name, int otherwise, std::int64_t low,
                       std::int64_t high) const {
    return spec().ints.contains(name) ? integer(name, low, high) : otherwise;
  }
  float number(const std::string& name) const;
  // The tensor's data; throws unless it is there with that very shape.
  const float* tensor(const std::string& slot, std::vector<std::int64_t> shape) const;
  const float* optional_tensor(const std::string& slot, std::vector<std::int64_t> shape) const;

  // How the matrix in a slot is to be stored. Constants (filter banks, windows) stay fp32.
  MatrixFormat format(const std::string& slot, int num_inputs) const;

  Device device() const { return precision_.device; }

  // What `pack` makes of the tensors "weight" and "bias"; made once for all operations that name
  // the same two and have the same numbers in `shape`.
  template <typename Pack>
  PackedWeights packed_once(std::initializer_list<int> shape, const Pack& pack) const {
    const auto& tensors = spec().tensors;
    const auto bias = tensors.find("bias");
    std::string key = tensors.at("weight");
    if (bias != tensors.end()) key.append(1, '\n').append(bias->second);
    for (const int number : shape) key.append(1, '\n').append(std::to_string(number));
    const auto found = precision_.packed.find(key);
    if (found != precision_.packed.end()) return found->second;
    return precision_.packed.emplace(key, pack()).first->second;
  }

  void require(bool condition, std::string_view what) const;
  void require_output(std::int64_t channels) const;
  void require_inputs(int count) const;
  [[noreturn]] void fail(std::string_view what) const;

 private:
  const ProgramSpec& program_;
  int index_;
  Precision& precision_;
};

// Throws std::invalid_argument for an unknown kind or a wrong size.
std::unique_ptr<Layer> make_layer(const LayerContext& context);

// Families of layers, one file each under layers/; null where the kind is not theirs.
std::unique_ptr<Layer> make_conv(const LayerContext& context);
std::unique_ptr<Layer> make_conv2d(const LayerContext& context);
std::unique_ptr<Layer> make_gated_stack(const LayerContext& context);
std::unique_ptr<Layer> make_conditioned_net(const LayerContext& context);
std::unique_ptr<Layer> make_feedback(const LayerContext& context);
// `loop`: the same on the CPU, whose state has the same specs.
std::unique_ptr<Layer> make_gpu_feedback(const LayerContext& context, std::unique_ptr<Layer> loop);
std::unique_ptr<Layer> make_refine(const LayerContext& context);
std::unique_ptr<Layer> make_recurrent(const LayerContext& context);
std::unique_ptr<Layer> make_bidirectional(const LayerContext& context);
std::unique_ptr<Layer> make_band_recurrent(const LayerContext& context);
std::unique_ptr<Layer> make_pointwise(const LayerContext& context);
std::unique_ptr<Layer> make_spectral(const LayerContext& context);
std::unique_ptr<Layer> make_arrange(const LayerContext& context);
std::unique_ptr<Layer> make_resample(const LayerContext& context);
std::unique_ptr<Layer> make_cumulative(const LayerContext& context);
std::unique_ptr<Layer> make_oscillator(const LayerContext& context);
std::unique_ptr<Layer> make_noise(const LayerContext& context);
std::unique_ptr<Layer> make_join(const LayerContext& context);

}  // namespace rtaudio
