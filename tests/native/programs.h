// Small programs built by hand: between them they hold every kind of operation.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernel_test.h"
#include "model/program.h"

namespace rtaudio {

class ProgramBuilder {
 public:
  using Ints = std::map<std::string, std::int64_t>;
  using Floats = std::map<std::string, double>;
  using Shapes = std::map<std::string, std::vector<std::int64_t>>;

  explicit ProgramBuilder(BufferSpec input, int num_controls = 0)
      : program_{{input}, {}, 0, 0, num_controls, {}} {}

  // Appends an operation with random tensors and returns its buffer, which is the output so far.
  int add(const std::string& kind, std::vector<int> inputs, BufferSpec output, Ints ints = {},
          const Shapes& tensors = {}, Floats floats = {}, int control = -1) {
    const int buffer = static_cast<int>(program_.buffers.size());
    std::map<std::string, std::string> names;
    for (const auto& [slot, shape] : tensors) {
      names[slot] = std::to_string(buffer) + "." + slot;
      std::size_t size = 1;
      for (const std::int64_t n : shape) size *= static_cast<std::size_t>(n);
      program_.tensors[names[slot]] = {shape, random_floats(size, 0.4f)};
    }
    program_.buffers.push_back(output);
    program_.operations.push_back({kind, std::move(inputs), buffer, std::move(ints),
                                   std::move(floats), std::move(names), control});
    program_.output = buffer;
    return buffer;
  }

  int conv(int input, BufferSpec output, int kernel, int stride = 1, int dilation = 1,
           int groups = 1, int extra = 0) {
    const int channels = program_.buffers[static_cast<std::size_t>(input)].channels;
    return add(
        "conv1d", {input}, output,
        {{"kernel", kernel},
         {"stride", stride},
         {"dilation", dilation},
         {"groups", groups},
         {"tail", 0},
         {"extra", extra}},
        {{"weight", {output.channels, channels / groups, kernel}}, {"bias", {output.channels}}});
  }

  int transposed(int input, BufferSpec output, int kernel, int stride, int groups = 1) {
    const int channels = program_.buffers[static_cast<std::size_t>(input)].channels;
    return add(
        "conv_transpose1d", {input}, output,
        {{"kernel", kernel}, {"stride", stride}, {"groups", groups}, {"trim", 0}},
        {{"weight", {channels, output.channels / groups, kernel}}, {"bias", {output.channels}}});
  }

  int recurrent(const std::string& kind, int input, BufferSpec output) {
    const int rows = (kind == "gru" ? 3 : 4) * output.channels;
    const int channels = program_.buffers[static_cast<std::size_t>(input)].channels;
    return add(kind, {input}, output, {{"hidden", output.channels}},
               {{"weight_ih", {rows, channels}},
                {"weight_hh", {rows, output.channels}},
                {"bias_ih", {rows}},
                {"bias_hh", {rows}}});
  }

  int conv2d(int input, BufferSpec output, Ints ints) {
    const int channels = program_.buffers[static_cast<std::size_t>(input)].channels;
    const Ints defaults{{"kernel_frames", 1},
                        {"kernel_bands", 1},
                        {"stride", 1},
                        {"stride_bands", 1},
                        {"transposed", 0},
                        {"groups", 1},
                        {"dilation_frames", 1},
                        {"dilation_bands", 1},
                        {"padding_bands", 0},
                        {"tail", 0},
                        {"extra", 0}};
    ints.insert(defaults.begin(), defaults.end());
    const std::int64_t outputs = output.channels / ints["out_bands"];
    const std::int64_t inputs = channels / ints["bands"] / ints["groups"];
    return add("conv2d", {input}, output, ints,
               {{"weight", {outputs, inputs, ints["kernel_frames"], ints["kernel_bands"]}},
                {"bias", {outputs}}});
  }

  int gather(int input, BufferSpec output, std::vector<float> index) {
    const int buffer = add("gather", {input}, output);
    program_.operations.back().tensors["index"] = std::to_string(buffer) + ".index";
    program_.tensors[std::to_string(buffer) + ".index"] = {{output.channels}, std::move(index)};
    return buffer;
  }

  int band_cells(const std::string& kind, int input, BufferSpec output, int bands, Ints ints) {
    const int inputs = program_.buffers[static_cast<std::size_t>(input)].channels / bands;
    const int hidden = output.channels / bands;
    const std::int64_t rows = (ints["lstm"] ? 4 : 3) * hidden;
    ints.insert({{"bands", bands}, {"hidden", hidden}});
    return add(kind, {input}, output, std::move(ints),
               {{"weight_ih", {rows, inputs}},
                {"weight_hh", {rows, hidden}},
                {"bias_ih", {rows}},
                {"bias_hh", {rows}}});
  }

  int unary(int input, BufferSpec output, Unary function, double a, double b) {
    return add("unary", {input}, output, {{"function", static_cast<int>(function)}}, {},
               {{"a", a}, {"b", b}});
  }

  int per_channel(const std::string& kind, int input, BufferSpec output) {
    return add(kind, {input}, output, {},
               {{"scale", {output.channels}}, {"bias", {output.channels}}}, {{"eps", 1e-5}});
  }

  // A feedback; what is added until end_loop is its body, which begins at the returned buffer.
  int begin_loop(int input, BufferSpec output, int source_channels, Ints ints, Floats floats,
                 const Shapes& tensors = {}) {
    const int buffer =
        add("feedback", {input}, output, std::move(ints), tensors, std::move(floats));
    loop_ = program_.operations.size() - 1;
    program_.buffers.push_back({source_channels, 1, 0});
    program_.operations[loop_].ints["source"] = buffer + 1;
    return buffer + 1;
  }
  int end_loop() {
    OperationSpec& loop = program_.operations[loop_];
    loop.ints["operations"] = static_cast<std::int64_t>(program_.operations.size() - loop_ - 1);
    loop.ints["result"] = program_.output;
    return program_.output = loop.output;
  }

  ProgramSpec take() { return std::move(program_); }

 private:
  ProgramSpec program_;
  std::size_t loop_ = 0;
};

// STFT to inverse STFT by way of a GRU, gains and a deep filter; a control blends in the input.
inline ProgramSpec spectral_program() {
  constexpr int kHop = 8, kWindow = 16, kBins = 9, kTaps = 3;
  const BufferSpec spectrum{2 * kBins, 1, 0}, bands{kBins, 1, 0};
  ProgramBuilder p({1, kHop, 0}, 1);
  const int x = p.add("stft", {0}, spectrum,
                      {{"window", kWindow}, {"hop", kHop}, {"tail", kHop}, {"extra", 0}},
                      {{"window", {kWindow}}});
  int y = p.add("complex_power", {x}, bands);
  y = p.unary(y, bands, Unary::log, 1e-6, 0.0);
  y = p.add("mean_subtract", {y}, bands, {}, {}, {{"alpha", 0.9}, {"initial", -1.0}});
  y = p.recurrent("gru", y, {7, 1, 0});
  const int gains = p.unary(p.conv(y, bands, 1), bands, Unary::sigmoid, 0.0, 0.0);
  const int compressed =
      p.add("complex_compress", {x}, spectrum, {}, {}, {{"exponent", 0.6}, {"eps", 1e-9}});
  y = p.add("cat", {gains, compressed}, {3 * kBins, 1, 0});
  const int gained = p.add("complex_gain", {y}, spectrum);
  const int coefficients = p.conv(y, {2 * kBins * kTaps, 1, 0}, 1);
  y = p.add("cat", {coefficients, gained}, {2 * kBins * (kTaps + 1), 1, 0});
  y = p.add("deep_filter", {y}, spectrum,
            {{"taps", kTaps}, {"bins", kBins}, {"tail", 0}, {"extra", 0}});
  const int wet =
      p.add("istft", {y}, {1, kHop, kHop}, {{"window", kWindow}, {"hop", kHop}, {"trim", kHop}},
            {{"window", {kWindow}}});
  const int dry = p.add("delay", {0}, {1, kHop, kHop}, {{"frames", kHop}});
  y = p.add("cat", {wet, dry}, {2, kHop, kHop});
  p.add("blend", {y}, {1, kHop, kHop}, {}, {}, {}, 0);
  return p.take();
}

// Every sort of convolution between two rates, and what stands between them.
inline ProgramSpec convolution_program() {
  ProgramBuilder p({3, 6, 0});
  int y = p.conv(0, {20, 2, 1}, 5, 3, 1, 1, 2);  // one frame of lookahead
  y = p.conv(y, {20, 2, 1}, 3, 1, 2, 20);
  y = p.per_channel("layer_norm", y, {20, 2, 1});
  y = p.add("gate", {y}, {10, 2, 1}, {{"tanh", 1}});
  y = p.conv(y, {34, 2, 1}, 2, 1, 1, 2);
  y = p.per_channel("affine", y, {34, 2, 1});
  y = p.transposed(y, {4, 6, 3}, 5, 3, 2);
  y = p.add("prelu", {y}, {4, 6, 3}, {}, {{"slope", {4}}});
  y = p.add("cat", {y, y, y}, {12, 6, 3});
  y = p.add("modulate", {y}, {4, 6, 3});
  y = p.add("channels", {y}, {3, 6, 3}, {{"begin", 1}, {"end", 3}, {"pad", 1}});
  const int late = p.add("delay", {0}, {3, 6, 3}, {{"frames", 3}});
  y = p.add("add", {y, late, late}, {3, 6, 3});
  p.add("mul", {y, late}, {3, 6, 3});
  return p.take();
}

// A WaveNet's stack and an LSTM, one frame a tick.
inline ProgramSpec stack_program() {
  ProgramBuilder p({1, 1, 0});
  int y = p.conv(0, {20, 1, 0}, 2);
  ProgramBuilder::Shapes shapes;
  for (const std::string layer : {"layers.0.", "layers.1."}) {
    shapes[layer + "conv.weight"] = {16, 20, 2};
    shapes[layer + "conv.bias"] = {16};
    shapes[layer + "out.weight"] = {25, 8, 1};
    shapes[layer + "out.bias"] = {25};
  }
  y = p.add("gated_stack", {y}, {5, 1, 0},
            {{"channels", 20},
             {"gate_channels", 8},
             {"skip_channels", 5},
             {"kernel", 2},
             {"num_layers", 2},
             {"dilation.0", 1},
             {"dilation.1", 3}},
            shapes);
  y = p.recurrent("lstm", y, {18, 1, 0});
  p.conv(y, {1, 1, 0}, 1);
  return p.take();
}

// Stacks under one condition: two and their matrices as one operation, then one alone.
inline ProgramSpec conditioned_program() {
  ProgramBuilder::Ints ints{{"num_stacks", 2}, {"outputs", 0}};
  ProgramBuilder::Floats floats;
  ProgramBuilder::Shapes shapes{{"input.weight", {17, 1}},
                                {"input.bias", {17}},
                                {"join.0.x.linear.weight", {4, 9}},
                                {"join.0.head.conv.weight", {5, 8, 1}},
                                {"join.0.head.conv.bias", {5}}};
  const auto add = [&](const std::string& path, int channels, int skip, bool gated) {
    ints.insert({{path + "channels", channels},
                 {path + "hidden", channels},
                 {path + "skip_channels", skip},
                 {path + "skip_matrix", gated},
                 {path + "gated", gated},
                 {path + "num_layers", 1},
                 {path + "activation", static_cast<int>(Unary::tanh)},
                 {path + "gate", static_cast<int>(Unary::sigmoid)},
                 {path + "kernel.0", 3},
                 {path + "dilation.0", 2}});
    for (const std::string name : {"activation_a", "activation_b", "gate_a", "gate_b"}) {
      floats[path + name] = 0.0;
    }
    const int wide = gated ? 2 * channels : channels;
    const std::string layer = path + "layers.0.";
    shapes.insert({{layer + "in.past.conv.weight", {wide, channels, 3}},
                   {layer + "in.past.conv.bias", {wide}},
                   {layer + "in.now.condition.weight", {wide, 1}},
                   {layer + "out.residual.weight", {channels, channels}},
                   {layer + "out.residual.bias", {channels}}});
    if (gated) {
      shapes.insert(
          {{layer + "out.skip.weight", {skip, channels}}, {layer + "out.skip.bias", {skip}}});
    }
  };
  ProgramBuilder p({1, 1, 0});
  add("arrays.0.", 8, 8, false);
  add("arrays.1.", 3, 5, true);
  int y = p.add("conditioned_net", {0}, {5, 1, 0}, ints, shapes, floats);
  ints.clear();
  shapes.clear();
  add("", 20, 20, false);
  y = p.conv(y, {41, 1, 0}, 2);
  y = p.add("conditioned_stack", {y}, {41, 1, 0}, ints, shapes, floats);
  p.conv(y, {1, 1, 0}, 1);
  return p.take();
}

// Maps [band][channel]: convolutions over bands and frames, cells along time and along bands.
inline ProgramSpec map_program() {
  ProgramBuilder p({5, 2, 0});
  int y = p.gather(0, {15, 2, 0}, {-1, 0, 1, 0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, -1});
  y = p.conv2d(y, {3 * 20, 2, 0},
               {{"bands", 5},
                {"out_bands", 3},
                {"kernel_frames", 2},
                {"kernel_bands", 3},
                {"stride_bands", 2},
                {"padding_bands", 1}});
  y = p.conv2d(y, {3 * 20, 2, 0},
               {{"bands", 3},
                {"out_bands", 3},
                {"kernel_frames", 3},
                {"dilation_frames", 2},
                {"kernel_bands", 3},
                {"padding_bands", 1},
                {"groups", 20}});
  y = p.conv2d(y, {3 * 8, 2, 0}, {{"bands", 3}, {"out_bands", 3}, {"groups", 4}});
  y = p.add("band_norm", {y}, {3 * 8, 2, 0}, {{"bands", 3}}, {{"scale", {8}}, {"bias", {8}}},
            {{"eps", 1e-5}});
  y = p.band_cells("band_scan", y, {3 * 12, 2, 0}, 3,
                   {{"lstm", 0}, {"groups", 2}, {"directions", 2}});
  y = p.band_cells("band_recurrent", y, {3 * 6, 2, 0}, 3, {{"lstm", 1}});
  p.conv2d(y, {5, 2, 0},
           {{"bands", 3},
            {"out_bands", 5},
            {"kernel_bands", 5},
            {"stride_bands", 2},
            {"padding_bands", 2},
            {"transposed", 1}});
  return p.take();
}

// Rates down and up again; layers that look back over time.
inline ProgramSpec memory_program() {
  ProgramBuilder p({3, 4, 0});
  int y = p.conv(0, {1, 4, 0}, 1);
  y = p.add("pulse_train", {y}, {1, 4, 0});
  y = p.conv(y, {6, 4, 0}, 2);
  y = p.add("cumulative_norm", {y}, {6, 4, 0}, {{"per_channel", 0}},
            {{"scale", {6}}, {"bias", {6}}}, {{"eps", 1e-5}});
  const int noise = p.add("noise", {0}, {6, 4, 0}, {{"steps", 2}, {"values", 3}});
  y = p.add("add", {y, noise}, {6, 4, 0});
  int spectrum = p.add("noise_spectrum", {0}, {18, 4, 0},
                       {{"fft", 16}, {"window", 12}, {"hop", 4}, {"step", 1}}, {{"window", {12}}});
  spectrum = p.add("channels", {spectrum}, {6, 4, 0}, {{"begin", 4}, {"end", 10}, {"pad", 0}});
  y = p.add("add", {y, spectrum}, {6, 4, 0});
  y = p.add("pool", {y}, {12, 2, 0}, {{"size", 2}, {"mode", 2}, {"tail", 0}, {"extra", 0}});
  y = p.add("unpool", {y}, {6, 4, 0}, {{"size", 2}, {"trim", 0}});
  y = p.add("window_attention", {y}, {2, 4, 0}, {{"heads", 2}, {"frames", 5}});
  y = p.add(
      "rnn", {y}, {20, 4, 0}, {{"hidden", 20}, {"relu", 0}},
      {{"weight_ih", {20, 2}}, {"weight_hh", {20, 20}}, {"bias_ih", {20}}, {"bias_hh", {20}}});
  y = p.add("cumulative_norm", {y}, {20, 4, 0}, {{"per_channel", 1}},
            {{"scale", {20}}, {"bias", {20}}}, {{"eps", 1e-5}});
  y = p.add("upsample", {y}, {20, 12, 2}, {{"factor", 3}, {"linear", 1}, {"trim", 0}});
  y = p.add("upsample", {y}, {20, 24, 4}, {{"factor", 2}, {"linear", 0}, {"trim", 0}});
  p.add("bidirectional_rnn", {y}, {10, 24, 8},
        {{"cell", 0}, {"hidden", 5}, {"chunk", 4}, {"lookahead", 3}},
        {{"weight_ih", {15, 20}},
         {"weight_hh", {15, 5}},
         {"bias_ih", {15}},
         {"bias_hh", {15}},
         {"weight_ih_reverse", {15, 20}},
         {"weight_hh_reverse", {15, 5}},
         {"bias_ih_reverse", {15}},
         {"bias_hh_reverse", {15}}});
  return p.take();
}

// Two loops: codes through a conditioned stack, and a mixture whose body has a memory.
inline ProgramSpec autoregressive_program() {
  ProgramBuilder p({12, 1, 0});
  const ProgramBuilder::Floats sampler{{"temperature", 0.9}, {"voiced_scale", 0.7}, {"start", 1.0}};
  int source =
      p.begin_loop(0, {1, 2, 0}, 13, {{"hop", 2}, {"softmax", 1}, {"levels", 8}, {"mode", 0}},
                   sampler, {{"decode", {8}}});
  int y = p.add("channels", {source}, {1, 1, 0}, {{"begin", 12}, {"end", 13}, {"pad", 0}});
  y = p.add("embedding", {y}, {18, 1, 0}, {{"levels", 8}}, {{"weight", {18, 8}}});
  const int condition =
      p.add("channels", {source}, {12, 1, 0}, {{"begin", 0}, {"end", 12}, {"pad", 0}});
  y = p.add("cat", {y, condition}, {30, 1, 0});
  ProgramBuilder::Shapes shapes;
  for (const std::string layer : {"layers.0.", "layers.1."}) {
    shapes[layer + "conv.weight"] = {6, 18, 2};
    shapes[layer + "out.weight"] = {23, 3, 1};
    shapes[layer + "out.bias"] = {23};
  }
  y = p.add("conditioned_gated_stack", {y}, {5, 1, 0},
            {{"channels", 18},
             {"gate_channels", 3},
             {"skip_channels", 5},
             {"kernel", 2},
             {"num_layers", 2},
             {"dilation.0", 1},
             {"dilation.1", 3}},
            shapes);
  p.conv(y, {8, 1, 0}, 1);
  const int codes = p.end_loop();
  ProgramBuilder::Floats mixture = sampler;
  mixture.insert({{"min_log_scale", -5.0}, {"max_log_scale", 2.0}, {"limit", 1.0}});
  y = p.conv(codes, {3, 2, 0}, 2);
  source = p.begin_loop(y, {1, 4, 0}, 3,
                        {{"hop", 2},
                         {"softmax", 0},
                         {"mode", 3},
                         {"gaussian", 1},
                         {"components", 2},
                         {"values", 1},
                         {"levels", 1000},
                         {"mu_law_levels", 256}},
                        mixture);
  y = p.recurrent("gru", source, {17, 1, 0});
  p.conv(y, {6, 1, 0}, 3);
  p.end_loop();
  return p.take();
}

// Three steps of a network that looks ahead, with shaped noise, and one of a causal one.
inline ProgramSpec refine_program() {
  ProgramBuilder p({4, 3, 0});
  const auto refine = [&p](int input, BufferSpec output, int condition, int steps, bool causal) {
    const int c = causal ? 18 : 5;
    ProgramBuilder::Shapes shapes{{"input.weight", {c, output.channels}}, {"input.bias", {c}}};
    shapes.insert({{"skip.weight", {c, c}}, {"skip.bias", {c}}});
    shapes.insert({{"output.weight", {output.channels, c}}, {"output.bias", {output.channels}}});
    shapes.insert({{"steps", {steps, 2, c}}, {"coefficients", {steps, 3}}});
    for (const std::string layer : {"layers.0.", "layers.1."}) {
      shapes[layer + "conv.weight"] = {2 * c, c, 3};
      shapes[layer + "condition.weight"] = {2 * c, condition};
      shapes[layer + "out.weight"] = {2 * c, c};
      for (const std::string part : {"conv.bias", "condition.bias", "out.bias"}) {
        shapes[layer + part] = {2 * c};
      }
    }
    return p.add("refine", {input}, output,
                 {{"values", output.channels},
                  {"condition", condition},
                  {"channels", c},
                  {"kernel", 3},
                  {"causal", causal},
                  {"num_layers", 2},
                  {"dilation.0", 1},
                  {"dilation.1", 3},
                  {"steps", steps},
                  {"clip", 1},
                  {"shaped", !causal},
                  {"tail", 0},
                  {"extra", 0}},
                 shapes);
  };
  const int y = refine(0, {2, 3, 12}, 3, 3, false);
  refine(y, {5, 3, 12}, 2, 1, true);
  return p.take();
}

// Three frames out for each one in, blended there by a control.
inline ProgramSpec upsampling_program() {
  ProgramBuilder p({2, 1, 0}, 1);
  const int y = p.transposed(0, {2, 3, 0}, 4, 3);
  p.add("blend", {y}, {1, 3, 0}, {}, {}, {}, 0);
  return p.take();
}

inline std::vector<std::pair<std::string, ProgramSpec>> all_programs() {
  return {{"spectral", spectral_program()},
          {"convolution", convolution_program()},
          {"stack", stack_program()},
          {"conditioned", conditioned_program()},
          {"map", map_program()},
          {"memory", memory_program()},
          {"autoregressive", autoregressive_program()},
          {"refine", refine_program()},
          {"upsampling", upsampling_program()},
          {"identity", ProgramBuilder({5, 2, 0}).take()}};
}

}  // namespace rtaudio
