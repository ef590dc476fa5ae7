// A program as lines of words: what the fuzzer's files hold. Values of tensors are not kept, but
// how to make them.
//
//   program INPUT OUTPUT NUM_CONTROLS
//   precision FORMAT FILL                                    (FILL: of int8's input ranges)
//   buffer CHANNELS FRAMES DELAY
//   op KIND OUTPUT CONTROL INPUT...
//   int NAME VALUE | float NAME VALUE | tensor SLOT NAME     (of the last op)
//   data NAME FILL MISSING SIZE...                           (FILL: see fill_value)
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "model/layer.h"
#include "model/program.h"

namespace rtaudio::fuzz {

constexpr std::int64_t kMaxTensorFloats = 1 << 17;
constexpr int kIndexFill = 16;   // and above: whole numbers from -1 to fill - kIndexFill - 1
constexpr int kCalibrating = 4;  // as a FORMAT: after those of WeightFormat

struct TensorText {
  std::string name;
  int fill;
  int missing;  // values that the data lacks
  std::vector<std::int64_t> shape;
};

struct ProgramText {
  ProgramSpec spec;  // without tensors
  std::vector<TensorText> tensors;
  int format = 0;
  int ranges = 0;
};

inline float fill_value(int fill, std::size_t i) {
  const auto hash = static_cast<std::uint32_t>(i * 2654435761u + 12345u) >> 8;
  if (fill >= kIndexFill) {
    return static_cast<float>(hash % static_cast<std::uint32_t>(fill - kIndexFill + 1)) - 1.0f;
  }
  const float noise = static_cast<float>(hash) / static_cast<float>(1 << 24) - 0.5f;
  if (i % 5 != 0) return noise;
  switch (fill) {
    case 1:
      return std::numeric_limits<float>::quiet_NaN();
    case 2:
      return std::numeric_limits<float>::infinity();
    case 3:
      return 3e38f * (noise < 0 ? -1.0f : 1.0f);
    case 4:
      return 1e-42f;
    default:
      return noise;
  }
}

inline ProgramText parse_program(const std::string& text) {
  ProgramText program{};
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string what, name;
    words >> what;
    if (what == "program") {
      words >> program.spec.input >> program.spec.output >> program.spec.num_controls;
    } else if (what == "precision") {
      words >> program.format >> program.ranges;
    } else if (what == "buffer") {
      BufferSpec b{};
      words >> b.channels >> b.frames >> b.delay;
      program.spec.buffers.push_back(b);
    } else if (what == "op") {
      OperationSpec op{};
      words >> op.kind >> op.output >> op.control;
      for (int input; words >> input;) op.inputs.push_back(input);
      program.spec.operations.push_back(op);
    } else if (what == "data") {
      TensorText tensor{};
      words >> tensor.name >> tensor.fill >> tensor.missing;
      for (std::int64_t n; words >> n;) tensor.shape.push_back(n);
      program.tensors.push_back(tensor);
    } else if (!program.spec.operations.empty()) {
      OperationSpec& op = program.spec.operations.back();
      words >> name;
      if (what == "int") words >> op.ints[name];
      if (what == "float") {
        std::string number;
        words >> number;
        op.floats[name] = std::strtod(number.c_str(), nullptr);
      }
      if (what == "tensor") words >> op.tensors[name];
    }
  }
  return program;
}

inline std::string print_program(const ProgramText& program) {
  std::ostringstream out;
  const ProgramSpec& spec = program.spec;
  out << "program " << spec.input << ' ' << spec.output << ' ' << spec.num_controls << '\n';
  out << "precision " << program.format << ' ' << program.ranges << '\n';
  for (const BufferSpec& b : spec.buffers) {
    out << "buffer " << b.channels << ' ' << b.frames << ' ' << b.delay << '\n';
  }
  for (const OperationSpec& op : spec.operations) {
    out << "op " << op.kind << ' ' << op.output << ' ' << op.control;
    for (const int input : op.inputs) out << ' ' << input;
    out << '\n';
    for (const auto& [name, value] : op.ints) out << "int " << name << ' ' << value << '\n';
    for (const auto& [name, value] : op.floats) out << "float " << name << ' ' << value << '\n';
    for (const auto& [slot, name] : op.tensors) out << "tensor " << slot << ' ' << name << '\n';
  }
  for (const TensorText& t : program.tensors) {
    out << "data " << t.name << ' ' << t.fill << ' ' << t.missing;
    for (const std::int64_t n : t.shape) out << ' ' << n;
    out << '\n';
  }
  return out.str();
}

// With tensors made. Those of absurd shapes get little data, which the engine has to notice.
inline ProgramSpec make_program(const ProgramText& text) {
  ProgramSpec spec = text.spec;
  for (const TensorText& t : text.tensors) {
    std::int64_t size = 1;
    for (const std::int64_t n : t.shape) {
      size = n < 1 || size > kMaxTensorFloats / n ? 3 : size * n;
    }
    size = std::max<std::int64_t>(0, size - std::clamp(t.missing, -1, 1));
    Tensor tensor{t.shape, std::vector<float>(static_cast<std::size_t>(size))};
    for (std::size_t i = 0; i < tensor.data.size(); ++i) {
      tensor.data[i] = fill_value(t.fill, i);
    }
    spec.tensors[t.name] = std::move(tensor);
  }
  return spec;
}

// With a range for each input of each matrix, as a calibration run would note it.
inline Precision make_precision(const ProgramText& text) {
  Precision precision;
  precision.calibrate = text.format == kCalibrating;
  if (text.format > 0 && text.format < kCalibrating) {
    precision.format = static_cast<WeightFormat>(text.format);
  }
  if (precision.format != WeightFormat::int8) return precision;
  for (const TensorText& t : text.tensors) {
    if (t.shape.size() < 2 || t.shape[1] < 1 || t.shape[1] > kMaxTensorFloats) continue;
    std::vector<float>& ranges = precision.input_ranges[t.name];
    for (std::size_t i = 0; i < static_cast<std::size_t>(t.shape[1]); ++i) {
      const float value = fill_value(text.ranges, i);
      // Below zero once in a while: that has to be refused.
      ranges.push_back(text.ranges == 5 ? value : std::fabs(value));
    }
  }
  return precision;
}

}  // namespace rtaudio::fuzz
