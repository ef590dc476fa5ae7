#include "model/layer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/isa.h"

namespace rtaudio {

const BufferSpec& LayerContext::input(std::size_t i) const {
  return program_.buffers[static_cast<std::size_t>(spec().inputs[i])];
}

const BufferSpec& LayerContext::output() const {
  return program_.buffers[static_cast<std::size_t>(spec().output)];
}

int LayerContext::integer(const std::string& name, std::int64_t low, std::int64_t high) const {
  const auto found = spec().ints.find(name);
  if (found == spec().ints.end()) fail("lacks the number '" + name + "'");
  if (found->second < low || found->second > high) {
    fail("has " + name + " = " + std::to_string(found->second) + ", which must be " +
         std::to_string(low) + " to " + std::to_string(high));
  }
  return static_cast<int>(found->second);
}

float LayerContext::number(const std::string& name) const {
  const auto found = spec().floats.find(name);
  if (found == spec().floats.end()) fail("lacks the number '" + name + "'");
  if (!(std::fabs(found->second) <= std::numeric_limits<float>::max())) {
    fail("has a " + name + " that is not finite");
  }
  return static_cast<float>(found->second);
}

const float* LayerContext::optional_tensor(const std::string& slot,
                                           std::vector<std::int64_t> shape) const {
  return spec().tensors.contains(slot) ? tensor(slot, std::move(shape)) : nullptr;
}

const float* LayerContext::tensor(const std::string& slot, std::vector<std::int64_t> shape) const {
  const auto named = spec().tensors.find(slot);
  if (named == spec().tensors.end()) fail("lacks the tensor '" + slot + "'");
  const auto found = program_.tensors.find(named->second);
  if (found == program_.tensors.end()) fail("names a tensor that is missing: " + named->second);
  if (found->second.shape != shape) {
    std::string wanted;
    for (const std::int64_t n : shape) wanted += (wanted.empty() ? "" : ", ") + std::to_string(n);
    fail("has a tensor of the wrong shape: " + named->second + " must be (" + wanted + ")");
  }
  return found->second.data.data();
}

MatrixFormat LayerContext::format(const std::string& slot, int num_inputs) const {
  const auto named = spec().tensors.find(slot);
  if (named == spec().tensors.end() || named->second.starts_with("constant.")) return {};
  const std::string& name = named->second;
  const auto count = static_cast<std::size_t>(num_inputs);
  if (precision_.calibrate) {
    std::vector<float>& ranges = precision_.input_ranges[name];  // a map's values stay in place
    if (ranges.size() < count) ranges.assign(count, 0.0f);
    return {WeightFormat::fp32, nullptr, 0, ranges.data()};
  }
  const auto exception = precision_.exceptions.find(name);
  const WeightFormat format =
      exception == precision_.exceptions.end() ? precision_.format : exception->second;
  if (format != WeightFormat::int8) {
    const bool wide = device() == Device::cpu && select_kernels().wide_panels;
    return {format, nullptr, num_inputs, nullptr, wide};
  }
  const auto found = precision_.input_ranges.find(name);
  const auto usable = [](float range) { return std::isfinite(range) && range >= 0.0f; };
  if (found == precision_.input_ranges.end() || found->second.size() != count ||
      !std::all_of(found->second.begin(), found->second.end(), usable)) {
    throw std::invalid_argument("int8 needs the ranges of the inputs of '" + name +
                                "'; calibrate the model first");
  }
  return {WeightFormat::int8, found->second.data(), num_inputs};
}

void LayerContext::require(bool condition, std::string_view what) const {
  if (!condition) fail(what);
}

void LayerContext::require_output(std::int64_t channels) const {
  if (output().channels != channels) {
    fail("writes " + std::to_string(channels) + " channels into a buffer of " +
         std::to_string(output().channels));
  }
}

void LayerContext::require_inputs(int count) const {
  if (num_inputs() != count) {
    fail("has " + std::to_string(num_inputs()) + " inputs instead of " + std::to_string(count));
  }
}

void LayerContext::fail(std::string_view what) const {
  throw std::invalid_argument("operation " + std::to_string(index_) + " ('" + spec().kind + "') " +
                              std::string(what) + "; export the model again");
}

void Layer::record(Recorder&) const {
  throw std::invalid_argument("this model has a layer that a GPU cannot run; use --device cpu");
}

std::unique_ptr<Layer> make_layer(const LayerContext& context) {
  for (auto* make : {make_conv, make_conv2d, make_gated_stack, make_conditioned_net, make_recurrent,
                     make_bidirectional, make_band_recurrent, make_pointwise, make_arrange,
                     make_resample, make_cumulative, make_oscillator, make_spectral, make_noise,
                     make_join, make_feedback, make_refine}) {
    if (auto layer = make(context)) return layer;
  }
  context.fail("is of a kind this engine does not know: update rtaudio");
}

}  // namespace rtaudio
