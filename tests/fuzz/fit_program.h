// Makes a changed program whole again: numbers in range, and buffers and tensors of the sizes that
// they ask for. So that what lies behind a layer's first checks is tried too.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "cpu/kernels.h"
#include "fit_tools.h"

namespace rtaudio::fuzz {

class Fitter : private FitTools {
 public:
  Fitter(ProgramText& program, std::minstd_rand& random) : FitTools(program, random) {}

  void fit_all() {
    // Again where a stride asked for more frames a tick, or a loop for another source.
    for (int i = 0; i < 3; ++i) {
      grown_ = false;
      for (OperationSpec& op : p_.spec.operations) fit(op);
      if (!grown_) return;
    }
  }

  // Numbers and tensors that the kind needs and lacks are added.
  void fit(OperationSpec& op) {
    if (op.inputs.empty() || !known(op.inputs[0]) || !known(op.output)) return;
    op_ = &op;
    in_ = p_.spec.buffers[static_cast<std::size_t>(op.inputs[0])];
    out_ = {in_.channels, in_.frames, p_.spec.buffers[static_cast<std::size_t>(op.output)].delay};
    if (in_.channels < 1 || in_.channels > kMost || in_.frames < 1 || in_.frames > kMost) return;
    fit_kind(p_.spec.buffers[static_cast<std::size_t>(op.output)].channels);
    p_.spec.buffers[static_cast<std::size_t>(op.output)] = out_;
  }

 private:
  void fit_kind(int old_channels) {
    const std::string& kind = op_->kind;
    const int c = in_.channels;
    if (kind == "conv1d") return conv(std::clamp<int>(old_channels, 1, kMost));
    if (kind == "conv_transpose1d") return transposed(std::clamp<int>(old_channels, 1, kMost));
    if (kind == "conv2d") return conv2d();
    if (kind == "gated_stack" || kind == "conditioned_gated_stack") {
      return gated_stack(kind == "conditioned_gated_stack");
    }
    if (kind == "feedback") return feedback();
    if (kind == "embedding") {
      out_.channels = std::clamp<int>(old_channels, 1, 1 << 10);
      return tensor("weight", {out_.channels, number("levels", 1, 1 << 8)});
    }
    if (kind == "conditioned_stack") return conditioned_stack();
    if (kind == "conditioned_net") return conditioned_net();
    if (kind == "refine") return refine();
    if (kind == "gru") return cell(3, c, number("hidden", 1, 1 << 12), 1);
    if (kind == "lstm") return cell(4, c, number("hidden", 1, 1 << 12), 1);
    if (kind == "rnn") {
      number("relu", 0, 1);
      return cell(1, c, number("hidden", 1, 1 << 12), 1);
    }
    if (kind == "band_recurrent" || kind == "band_scan") return band_cells(kind == "band_scan");
    if (kind == "stft" || kind == "istft") return stft(kind == "stft");
    if (kind == "pulse_train") {
      out_.channels = 1;
      return;
    }
    if (kind == "deep_filter") {
      const int taps = number("taps", 1, 64);
      const int bins = fixed("bins", std::max(1, c / (2 * (taps + 1))));
      out_.channels = 2 * bins;
      return window(1);
    }
    if (kind == "pool") {
      out_.channels = number("mode", 0, 2) == 2 ? 2 * c : c;
      return window(number("size", 1, 1 << 12));
    }
    if (kind == "upsample" || kind == "unpool") {
      fixed("trim", 0);
      if (kind == "upsample") number("linear", 0, 1);
      out_.channels = kind == "upsample" ? c : std::max(1, c / 2);
      return up(number(kind == "upsample" ? "factor" : "size", 1, 1 << 12));
    }
    if (kind == "window_attention") {
      out_.channels = std::max(1, c / 3);
      divisor("heads", out_.channels);
      number("frames", 1, 1 << 12);
      return;
    }
    if (kind == "add" || kind == "mul" || kind == "cat") return join(kind == "cat");
    pointwise(kind);
  }

  void pointwise(const std::string& kind) {
    const int c = in_.channels;
    if (kind == "unary") {
      number("function", 0, static_cast<int>(Unary::count) - 1);
      real("a");
      real("b");
    } else if (kind == "affine" || kind == "layer_norm" || kind == "cumulative_norm") {
      per_channel({"scale", "bias"}, c);
      if (kind != "affine") real("eps");
      if (kind == "cumulative_norm") number("per_channel", 0, 1);
    } else if (kind == "band_norm") {
      per_channel({"scale", "bias"}, c / divisor("bands", c));
      real("eps");
    } else if (kind == "prelu") {
      tensor("slope", {c});
    } else if (kind == "mean_subtract") {
      real("alpha");
      real("initial");
    } else if (kind == "delay") {
      number("frames", 0, 1 << 12);
    } else if (kind == "channels") {
      const int begin = number("begin", 0, kMost - 1);
      out_.channels = number("end", begin + 1, kMost) - begin + number("pad", 0, kMost);
    } else if (kind == "gather") {
      out_.channels = std::clamp(out_.channels + static_cast<int>(random_() % 5) - 2, 1, 1 << 12);
      tensor("index", {out_.channels}, kIndexFill + c);
    } else if (kind == "gate" || kind == "blend" || kind == "complex_power") {
      if (kind == "gate") number("tanh", 0, 1);
      if (kind == "blend" && p_.spec.num_controls > 0) op_->control = 0;
      out_.channels = std::max(1, c / 2);
    } else if (kind == "complex_compress") {
      real("exponent");
      real("eps");
    } else if (kind == "complex_gain") {
      out_.channels = std::max(1, c / 3 * 2);
    }
  }

  void conv(int outputs) {
    const int groups = divisor("groups", in_.channels), kernel = number("kernel", 1, 1 << 12);
    outputs = (outputs + groups - 1) / groups * groups;
    number("dilation", 1, (1 << 20) / kernel);
    tensor("weight", {outputs, in_.channels / groups, kernel});
    tensor("bias", {outputs});
    out_.channels = outputs;
    window(number("stride", 1, 1 << 12));
  }

  void transposed(int outputs) {
    const int groups = divisor("groups", in_.channels), kernel = number("kernel", 1, 1 << 12);
    outputs = (outputs + groups - 1) / groups * groups;
    number("trim", 0, 1 << 20);
    tensor("weight", {in_.channels, outputs / groups, kernel});
    tensor("bias", {outputs});
    out_.channels = outputs;
    up(number("stride", 1, kernel));
  }

  void conv2d() {
    const int bands = divisor("bands", in_.channels), inputs = in_.channels / bands;
    const int groups = divisor("groups", inputs), out_bands = number("out_bands", 1, 1 << 12);
    const bool depthwise = groups == inputs && random_() % 2 == 0;
    const int outputs = depthwise ? groups : groups * (1 + static_cast<int>(random_() % 12));
    const int kernel_frames = number("kernel_frames", 1, 64);
    const int kernel_bands = number("kernel_bands", 1, 256);
    const bool turned = number("transposed", 0, 1) == 1;
    number("dilation_frames", 1, 1 << 12);
    number("dilation_bands", 1, turned ? 1 : 256);
    number("stride_bands", 1, turned ? kernel_bands : 256);
    number("padding_bands", 0, 1 << 12);
    tensor("weight", {outputs, inputs / groups, kernel_frames, kernel_bands});
    tensor("bias", {outputs});
    out_.channels =
        static_cast<int>(std::min<std::int64_t>(std::int64_t{out_bands} * outputs, kMost));
    window(number("stride", 1, 1 << 12));
  }

  void cell(int gates, int inputs, int hidden, int bands) {
    tensor("weight_ih", {gates * hidden, inputs});
    tensor("weight_hh", {gates * hidden, hidden});
    tensor("bias_ih", {gates * hidden});
    tensor("bias_hh", {gates * hidden});
    out_.channels = static_cast<int>(std::min<std::int64_t>(std::int64_t{bands} * hidden, kMost));
  }

  void band_cells(bool scan) {
    const int bands = divisor("bands", in_.channels);
    int hidden = number("hidden", 1, 256);
    if (scan) {
      const int parts = number("directions", 1, 2) * number("groups", 1, 64);
      hidden = fixed("hidden", (hidden + parts - 1) / parts * parts);
    }
    cell(number("lstm", 0, 1) == 1 ? 4 : 3, in_.channels / bands, hidden, bands);
  }

  void stft(bool forward) {
    const int size = number("window", 2, 1 << 12), bins = size / 2 + 1;
    const int hop = number("hop", 1, size);
    tensor("window", {size});
    out_.channels = forward ? 2 * bins : 1;
    if (forward) return window(hop);
    number("trim", 0, 1 << 15);
    // The window that has so many bins.
    if (in_.channels >= 4 && in_.channels % 2 == 0) {
      const int fitting = fixed("window", in_.channels - 2);
      fixed("hop", std::min(hop, fitting));
      tensor("window", {fitting});
    }
    up(static_cast<int>(op_->ints["hop"]));
  }

  void gated_stack(bool conditioned) {
    const int kernel = number("kernel", 1, 64), skip = number("skip_channels", 1, 1 << 10);
    int layers = number("num_layers", 1, 8), gate = number("gate_channels", 1, 1 << 10);
    if (conditioned && 2 * gate * layers >= in_.channels) {
      layers = fixed("num_layers", 1);
      gate = fixed("gate_channels", std::max(1, (in_.channels - 1) / 2));
    }
    const int condition = conditioned ? 2 * gate * layers : 0;
    const int channels = fixed("channels", std::max(1, in_.channels - condition));
    for (int i = 0; i < layers; ++i) {
      const std::string path = "layers." + std::to_string(i) + ".";
      number("dilation." + std::to_string(i), 1, (1 << 12) / kernel);
      tensor(path + "conv.weight", {2 * gate, channels, kernel});
      if (!conditioned) tensor(path + "conv.bias", {2 * gate});
      tensor(path + "out.weight", {channels + skip, gate, 1});
      tensor(path + "out.bias", {channels + skip});
    }
    out_.channels = skip;
  }

  // Fits the head to what its body gives, and the body's source to the head.
  void feedback() {
    const int source = number("source", 0, kMost), result = number("result", 0, kMost);
    if (!known(source) || !known(result)) return;
    number("operations", 0, kMost);
    const int given = p_.spec.buffers[static_cast<std::size_t>(result)].channels;
    int width = 1;
    if (number("softmax", 0, 1) == 1) {
      tensor("decode", {fixed("levels", std::clamp<std::int64_t>(given, 2, kMost))});
    } else {
      number("gaussian", 0, 1);
      number("levels", 0, 1 << 24);
      number("mu_law_levels", 0, 1 << 16);
      const bool several = number("components", 1, 1 << 12) > 1 && given >= 6 && given % 3 == 0;
      fixed("components", several ? given / 3 : 1);
      width = fixed("values", several ? 1 : std::clamp(given / 2, 1, 1 << 12));
      op_->floats.insert({{"min_log_scale", -7.0}, {"max_log_scale", 7.0}, {"limit", 1.0}});
    }
    op_->floats.insert({{"temperature", 1.0}, {"voiced_scale", 0.5}, {"start", 0.0}});
    const int voiced = number("mode", 0, 3) >= 2 ? 1 : 0;
    int& fed = p_.spec.buffers[static_cast<std::size_t>(source)].channels;
    const int wanted = std::max(1, in_.channels - voiced) + width;
    if (fed != wanted) grown_ = true;
    fed = wanted;
    out_.channels = width;
    up(number("hop", 1, 1 << 8));
  }

  void conditioned_stack() {
    const int skip = fixed("skip_channels", std::clamp(number("skip_channels", 1, kMost), 1,
                                                       std::max(1, in_.channels - 2)));
    fixed("channels", std::max(1, in_.channels - 1 - skip));
    conditioned_layers("");
  }

  // The numbers and tensors of a stack, whose sizes are there.
  void conditioned_layers(const std::string& path) {
    const int skip = number(path + "skip_channels", 1, kMost);
    const int channels = number(path + "channels", 1, kMost);
    const bool matrix = number(path + "skip_matrix", 0, 1) == 1;
    const int hidden = matrix ? number(path + "hidden", 1, 256) : fixed(path + "hidden", skip);
    const int wide = number(path + "gated", 0, 1) == 1 ? 2 * hidden : hidden;
    for (const std::string function : {"activation", "gate"}) {
      number(path + function, 0, static_cast<int>(Unary::count) - 1);
      real(path + function + "_a");
      real(path + function + "_b");
    }
    const int layers = number(path + "num_layers", 1, 8);
    for (int i = 0; i < layers; ++i) {
      const std::string index = std::to_string(i), layer = path + "layers." + index + ".";
      const int kernel = number(path + "kernel." + index, 1, 64);
      number(path + "dilation." + index, 1, 1 << 10);
      tensor(layer + "in.past.conv.weight", {wide, channels, kernel});
      tensor(layer + "in.past.conv.bias", {wide});
      tensor(layer + "in.now.condition.weight", {wide, 1});
      tensor(layer + "out.residual.weight", {channels, hidden});
      tensor(layer + "out.residual.bias", {channels});
      if (!matrix) continue;
      tensor(layer + "out.skip.weight", {skip, hidden});
      tensor(layer + "out.skip.bias", {skip});
    }
  }

  void conditioned_net() {
    const int stacks = number("num_stacks", 1, 4), outputs = number("outputs", 0, 256);
    int channels = 0, skip = 0;
    for (int i = 0; i < stacks; ++i) {
      const std::string path = "arrays." + std::to_string(i) + ".";
      const int before = channels + 1, sums = skip;
      channels = number(path + "channels", 1, 256);
      skip = number(path + "skip_channels", 1, 256);
      if (i == 0) {
        tensor("input.weight", {channels + 1 + skip, in_.channels});
        tensor("input.bias", {channels + 1 + skip});
      } else {
        const std::string join = "join." + std::to_string(i - 1) + ".";
        tensor(join + "x.linear.weight", {channels + 1, before});
        tensor(join + "head.conv.weight", {skip, sums, 1});
        tensor(join + "head.conv.bias", {skip});
      }
      conditioned_layers(path);
    }
    out_.channels = outputs > 0 ? outputs : skip;
    if (outputs == 0) return;
    tensor("output.conv.weight", {outputs, skip, 1});
    tensor("output.conv.bias", {outputs});
  }

  void refine() {
    const int shaped = in_.channels > 1 ? number("shaped", 0, 1) : fixed("shaped", 0);
    const int condition = fixed("condition", in_.channels - shaped);
    const int values = number("values", 1, 16), c = number("channels", 1, 64);
    const int kernel = number("kernel", 1, 7), steps = number("steps", 1, 4);
    number("causal", 0, 1);
    number("clip", 0, 1);
    const int layers = number("num_layers", 1, 8);
    for (int i = 0; i < layers; ++i) {
      const std::string index = std::to_string(i), path = "layers." + index + ".";
      number("dilation." + index, 1, 64);
      tensor(path + "conv.weight", {2 * c, c, kernel});
      tensor(path + "condition.weight", {2 * c, condition});
      tensor(path + "out.weight", {2 * c, c});
      for (const std::string part : {"conv.bias", "condition.bias", "out.bias"}) {
        tensor(path + part, {2 * c});
      }
    }
    tensor("input.weight", {c, values});
    tensor("skip.weight", {c, c});
    tensor("output.weight", {values, c});
    per_channel({"input.bias", "skip.bias"}, c);
    per_channel({"output.bias"}, values);
    tensor("steps", {steps, layers, c});
    tensor("coefficients", {steps, 3});
    out_.channels = values;
  }

  // Without the inputs that do not fit the first.
  void join(bool cat) {
    std::int64_t total = 0;
    std::vector<int> kept;
    for (const int input : op_->inputs) {
      if (!known(input)) continue;
      const BufferSpec& b = p_.spec.buffers[static_cast<std::size_t>(input)];
      if (b.frames != in_.frames || (!cat && b.channels != in_.channels)) continue;
      if (total + b.channels > kMost) break;
      kept.push_back(input);
      total += b.channels;
    }
    op_->inputs = kept;
    if (cat) out_.channels = static_cast<int>(total);
  }
};

}  // namespace rtaudio::fuzz
