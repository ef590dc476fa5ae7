// Changes of one program into another: numbers, names, edges, shapes. Many keep a program whole
// (a size changed everywhere, an operation added with its buffer), so that deep checks are reached.
#pragma once

#include <array>
#include <random>
#include <string>
#include <vector>

#include "program_text.h"

namespace rtaudio::fuzz {

class ProgramMutator {
 public:
  explicit ProgramMutator(unsigned seed) : random_(seed) {}

  void mutate(ProgramText& program) {
    for (int i = below(3); i >= 0; --i) mutate_once(program);
  }

 private:
  static constexpr std::array<std::int64_t, 30> kNumbers = {0,
                                                            1,
                                                            2,
                                                            3,
                                                            4,
                                                            5,
                                                            7,
                                                            8,
                                                            15,
                                                            16,
                                                            17,
                                                            31,
                                                            32,
                                                            33,
                                                            63,
                                                            64,
                                                            65,
                                                            96,
                                                            1000,
                                                            4096,
                                                            32768,
                                                            1 << 16,
                                                            1 << 20,
                                                            1LL << 26,
                                                            1LL << 30,
                                                            2147483647,
                                                            -1,
                                                            -2,
                                                            -2147483648LL,
                                                            INT64_MAX};
  static constexpr std::array<const char*, 38> kKinds = {"conv1d",
                                                         "conv_transpose1d",
                                                         "gated_stack",
                                                         "conditioned_stack",
                                                         "conditioned_gated_stack",
                                                         "feedback",
                                                         "embedding",
                                                         "gru",
                                                         "lstm",
                                                         "mean_subtract",
                                                         "unary",
                                                         "gate",
                                                         "affine",
                                                         "prelu",
                                                         "layer_norm",
                                                         "channels",
                                                         "blend",
                                                         "stft",
                                                         "istft",
                                                         "complex_power",
                                                         "complex_compress",
                                                         "complex_gain",
                                                         "cumulative_norm",
                                                         "pool",
                                                         "rnn",
                                                         "unpool",
                                                         "upsample",
                                                         "window_attention",
                                                         "conv2d",
                                                         "band_norm",
                                                         "band_recurrent",
                                                         "band_scan",
                                                         "gather",
                                                         "deep_filter",
                                                         "add",
                                                         "mul",
                                                         "cat",
                                                         "delay"};
  static constexpr std::array<double, 9> kFloats = {0.0,  1.0,   -1.0, 0.5,  1e-30,
                                                    1e30, -1e30, 1e39, 1e300};

  int below(int n) { return n <= 0 ? 0 : static_cast<int>(random_() % static_cast<unsigned>(n)); }
  template <class List>
  auto& any(List& list) {
    return list[static_cast<std::size_t>(below(static_cast<int>(list.size())))];
  }
  template <class Map>
  auto any_entry(Map& map) {
    return std::next(map.begin(), below(static_cast<int>(map.size())));
  }

  std::int64_t number(std::int64_t old) {
    switch (below(6)) {
      case 0:
        return old == INT64_MAX ? 0 : old + 1;
      case 1:
        return old == INT64_MIN ? 0 : old - 1;
      case 2:
        return old / 2;
      case 3:
        return old > INT64_MAX / 2 || old < INT64_MIN / 2 ? 1 : old * 2;
      case 4:
        return 1 + below(12);
      default:
        return any(kNumbers);
    }
  }
  int small_number(int old) { return static_cast<int>(number(old)); }

  void mutate_once(ProgramText& p) {
    ProgramSpec& spec = p.spec;
    if (spec.buffers.empty()) spec.buffers.push_back({1, 1, 0});
    switch (below(14)) {
      case 0:
        return change_buffer(any(spec.buffers));
      case 1:
        return resize_everywhere(p);
      case 2:
      case 3:
      case 4:
        return change_operation(p);
      case 5:
        return change_tensor(p);
      case 6:
      case 7:
        return fit_tensors(p);
      case 8:
        return append(p);
      case 9:
        return scale_frames(spec);
      case 10:
        if (!spec.operations.empty() && below(3) == 0) {
          spec.operations.erase(spec.operations.begin() +
                                below(static_cast<int>(spec.operations.size())));
        }
        return;
      case 11:
        (below(2) != 0 ? spec.input : spec.output) = small_number(spec.output);
        return;
      case 12:
        spec.num_controls = below(4) == 0 ? small_number(spec.num_controls) : 1;
        return;
      default:
        shift_delay(spec);
    }
  }

  void change_buffer(BufferSpec& b) {
    int& field = below(3) == 0 ? b.delay : below(2) != 0 ? b.frames : b.channels;
    field = small_number(field);
  }

  // One size, wherever it stands.
  void resize_everywhere(ProgramText& p) {
    const std::int64_t from = any(p.spec.buffers).channels;
    const std::int64_t to = number(from);
    const auto change = [&](auto& n) {
      if (n == from) n = static_cast<std::remove_reference_t<decltype(n)>>(to);
    };
    for (BufferSpec& b : p.spec.buffers) change(b.channels);
    for (OperationSpec& op : p.spec.operations) {
      for (auto& [name, value] : op.ints) change(value);
    }
    for (TensorText& t : p.tensors) {
      for (std::int64_t& n : t.shape) change(n);
    }
  }

  void change_operation(ProgramText& p) {
    if (p.spec.operations.empty()) return;
    OperationSpec& op = any(p.spec.operations);
    switch (below(9)) {
      case 0:
        op.kind = any(kKinds);
        return;
      case 1:
      case 2:
      case 3:
        if (!op.ints.empty()) {
          auto entry = any_entry(op.ints);
          entry->second = number(entry->second);
        }
        return;
      case 4:
        if (!op.floats.empty()) any_entry(op.floats)->second = any(kFloats);
        return;
      case 5:
        if (!op.tensors.empty() && !p.tensors.empty()) {
          any_entry(op.tensors)->second = any(p.tensors).name;
        }
        return;
      case 6:
        if (!op.inputs.empty()) {
          any(op.inputs) = below(static_cast<int>(p.spec.buffers.size()) + 1) - below(2);
        }
        return;
      case 7:
        if (below(2) != 0 || op.inputs.empty()) {
          op.inputs.push_back(below(static_cast<int>(p.spec.buffers.size())));
        } else {
          op.inputs.pop_back();
        }
        return;
      default:
        op.control = below(3) - 1;
    }
  }

  void change_tensor(ProgramText& p) {
    if (p.tensors.empty()) return;
    TensorText& t = any(p.tensors);
    switch (below(5)) {
      case 0:
        if (!t.shape.empty()) any(t.shape) = number(any(t.shape));
        return;
      case 1:
        t.missing = below(3) - 1;
        return;
      case 2:
        if (t.shape.size() < 6) t.shape.push_back(1);
        return;
      case 3:
        if (!t.shape.empty()) t.shape.pop_back();
        return;
      default:
        t.fill = below(5);
    }
  }

  // Gives an operation's tensors, and its buffers' frames, the sizes that its numbers ask for.
  void fit_tensors(ProgramText& p) {
    if (p.spec.operations.empty()) return;
    OperationSpec& op = any(p.spec.operations);
    const auto known = [&](int b) { return b >= 0 && b < static_cast<int>(p.spec.buffers.size()); };
    if (op.inputs.empty() || !known(op.inputs[0]) || !known(op.output)) return;
    const std::int64_t in = p.spec.buffers[static_cast<std::size_t>(op.inputs[0])].channels;
    BufferSpec& output = p.spec.buffers[static_cast<std::size_t>(op.output)];
    const std::int64_t out = output.channels;
    const auto integer = [&](const char* name) {
      const auto found = op.ints.find(name);
      return found == op.ints.end() ? std::int64_t{1} : found->second;
    };
    const std::int64_t kernel = integer("kernel"), hidden = integer("hidden");
    const std::int64_t groups = std::max<std::int64_t>(1, integer("groups"));
    for (const auto& [slot, name] : op.tensors) {
      std::vector<std::int64_t> shape = {out};
      if (op.kind == "conv1d" && slot == "weight") shape = {out, in / groups, kernel};
      if (op.kind == "conv_transpose1d" && slot == "weight") shape = {in, out / groups, kernel};
      if (op.kind == "gru" || op.kind == "lstm") {
        const std::int64_t rows =
            (op.kind == "gru" ? 3 : 4) * std::clamp<std::int64_t>(hidden, 1, 1 << 14);
        shape = {rows};
        if (slot == "weight_ih") shape = {rows, in};
        if (slot == "weight_hh") shape = {rows, hidden};
      }
      if (slot == "window") shape = {integer("window")};
      if (op.kind == "gated_stack") shape = stack_shape(op, slot);
      for (TensorText& t : p.tensors) {
        if (t.name == name) t = {name, t.fill, 0, shape};
      }
    }
    const std::int64_t stride = std::clamp<std::int64_t>(
        op.kind == "stft" ? integer("hop") : integer("stride"), 1, 1 << 20);
    const int frames = p.spec.buffers[static_cast<std::size_t>(op.inputs[0])].frames;
    if (op.kind == "conv1d" || op.kind == "stft") output.frames = frames / static_cast<int>(stride);
  }

  static std::vector<std::int64_t> stack_shape(const OperationSpec& op, const std::string& slot) {
    const auto integer = [&](const char* name) {
      const auto found = op.ints.find(name);
      return found == op.ints.end() ? std::int64_t{1}
                                    : std::clamp<std::int64_t>(found->second, 0, 1 << 20);
    };
    const std::int64_t channels = integer("channels"), gate = integer("gate_channels");
    const std::int64_t outputs = channels + integer("skip_channels");
    if (slot.ends_with("conv.weight")) return {2 * gate, channels, integer("kernel")};
    if (slot.ends_with("conv.bias")) return {2 * gate};
    return slot.ends_with("out.weight") ? std::vector<std::int64_t>{outputs, gate, 1}
                                        : std::vector<std::int64_t>{outputs};
  }

  // A pointwise operation on the output, with a buffer of its own.
  void append(ProgramText& p) {
    ProgramSpec& spec = p.spec;
    if (spec.output < 0 || spec.output >= static_cast<int>(spec.buffers.size())) return;
    BufferSpec b = spec.buffers[static_cast<std::size_t>(spec.output)];
    const int buffer = static_cast<int>(spec.buffers.size());
    OperationSpec op{"unary",
                     {spec.output},
                     buffer,
                     {{"function", below(18)}},
                     {{"a", any(kFloats)}, {"b", any(kFloats)}},
                     {},
                     -1};
    if (below(3) == 0) op = {"delay", {spec.output}, buffer, {{"frames", number(3)}}, {}, {}, -1};
    if (below(4) == 0) op = {"cat", {spec.output, spec.output}, buffer, {}, {}, {}, -1};
    if (op.kind == "cat" && b.channels > 0 && b.channels < 1 << 20) b.channels *= 2;
    if (below(6) == 0) op.kind = any(kKinds);
    spec.buffers.push_back(b);
    spec.operations.push_back(op);
    spec.output = buffer;
  }

  void scale_frames(ProgramSpec& spec) {
    const int factor = 1 + below(5);
    for (BufferSpec& b : spec.buffers) {
      if (b.frames > 0 && b.frames < 1 << 20) b.frames *= factor;
    }
  }

  void shift_delay(ProgramSpec& spec) {
    const int from = below(static_cast<int>(spec.buffers.size()));
    const int by = below(40);
    for (std::size_t i = static_cast<std::size_t>(from); i < spec.buffers.size(); ++i) {
      if (spec.buffers[i].delay < 1 << 20) spec.buffers[i].delay += by;
    }
  }

  std::minstd_rand random_;
};

}  // namespace rtaudio::fuzz
