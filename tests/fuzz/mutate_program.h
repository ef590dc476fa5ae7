// Changes of one program into another: numbers, names, edges, shapes. Half of the results are made
// whole again (fit_program.h), so that deep checks are reached.
#pragma once

#include <array>
#include <random>
#include <string>
#include <vector>

#include "fit_program.h"
#include "program_text.h"

namespace rtaudio::fuzz {

class ProgramMutator {
 public:
  explicit ProgramMutator(unsigned seed) : random_(seed) {}

  void mutate(ProgramText& program) {
    for (int i = below(3); i >= 0; --i) mutate_once(program);
    if (below(2) == 0) Fitter(program, random_).fit_all();
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
  static constexpr std::array kKinds = {"conv1d",
                                        "conv_transpose1d",
                                        "gated_stack",
                                        "conditioned_stack",
                                        "conditioned_net",
                                        "conditioned_gated_stack",
                                        "feedback",
                                        "embedding",
                                        "refine",
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
                                        "pulse_train",
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
                                        "delay",
                                        "with_constant"};
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
        p.format = below(kCalibrating + 1);
        p.ranges = below(6);
        return;
      case 7:
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

  // An operation of any kind on the output, with a buffer of its own.
  void append(ProgramText& p) {
    ProgramSpec& spec = p.spec;
    if (spec.output < 0 || spec.output >= static_cast<int>(spec.buffers.size())) return;
    const BufferSpec& last = spec.buffers[static_cast<std::size_t>(spec.output)];
    const int buffer = static_cast<int>(spec.buffers.size());
    OperationSpec op{any(kKinds), {spec.output}, buffer, {}, {}, {}, -1};
    if (op.kind == "add" || op.kind == "mul" || op.kind == "cat") op.inputs.push_back(spec.output);
    spec.buffers.push_back({last.channels, last.frames, last.delay});
    spec.operations.push_back(op);
    spec.output = buffer;
    Fitter(p, random_).fit(spec.operations.back());
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
