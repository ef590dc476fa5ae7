// Runs programs that tests/neon_digest.py wrote down, for levels that Python cannot reach here:
// run_program PROGRAMS FLOATS OUTPUT. FLOATS holds each one's tensors one after another, then its
// input; OUTPUT gets their answers one after another.
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "model/stream.h"

namespace rtaudio {
namespace {

template <class T>
T next(std::istream& in) {
  T value{};
  if (!(in >> value)) throw std::runtime_error("the program file ends too early");
  return value;
}
template <class V>
std::map<std::string, V> next_map(std::istream& in) {
  std::map<std::string, V> map;
  for (int n = next<int>(in); n > 0; --n) {
    const auto key = next<std::string>(in);
    map[key] = next<V>(in);
  }
  return map;
}
template <class T>
std::vector<T> next_list(std::istream& in) {
  std::vector<T> list(next<std::size_t>(in));
  for (T& value : list) value = next<T>(in);
  return list;
}
std::vector<float> read_floats(std::istream& in, std::size_t count) {
  std::vector<float> values(count);
  in.read(reinterpret_cast<char*>(values.data()),
          static_cast<std::streamsize>(count * sizeof(float)));
  if (!in) throw std::runtime_error("the file of floats ends too early");
  return values;
}

ProgramSpec read_program(std::istream& in, std::istream& floats) {
  ProgramSpec program{};
  program.input = next<int>(in);
  program.output = next<int>(in);
  program.num_controls = next<int>(in);
  for (int n = next<int>(in); n > 0; --n) {
    const auto b = next_list<int>(in);
    program.buffers.push_back({b.at(0), b.at(1), b.at(2)});
  }
  for (int n = next<int>(in); n > 0; --n) {
    OperationSpec op{};
    op.kind = next<std::string>(in);
    op.inputs = next_list<int>(in);
    op.output = next<int>(in);
    op.control = next<int>(in);
    op.ints = next_map<std::int64_t>(in);
    op.floats = next_map<double>(in);
    op.tensors = next_map<std::string>(in);
    program.operations.push_back(std::move(op));
  }
  for (int n = next<int>(in); n > 0; --n) {
    const auto name = next<std::string>(in);
    auto shape = next_list<std::int64_t>(in);
    std::size_t size = 1;
    for (const std::int64_t each : shape) size *= static_cast<std::size_t>(each);
    program.tensors[name] = {std::move(shape), read_floats(floats, size)};
  }
  return program;
}

Precision read_precision(std::istream& in) {
  Precision precision;
  precision.format = static_cast<WeightFormat>(next<int>(in));
  for (int n = next<int>(in); n > 0; --n) {
    const auto name = next<std::string>(in);
    precision.input_ranges[name] = next_list<float>(in);
  }
  return precision;
}

void run_one(std::istream& text, std::istream& floats, std::ostream& output) {
  const ProgramSpec program = read_program(text, floats);
  const auto model = std::make_shared<const Model>(program, read_precision(text));
  const auto controls = next_list<float>(text);
  const auto num_frames = next<std::int64_t>(text);
  const auto max_ticks = next<int>(text);
  Stream stream(model, 1, max_ticks, 1.0, controls, 0);
  const std::vector<float> x =
      read_floats(floats, static_cast<std::size_t>(num_frames * stream.input_width()));
  std::vector<float> y(
      static_cast<std::size_t>(stream.push_size(num_frames) * stream.output_width()));
  stream.push(x.data(), num_frames, y.data());
  std::vector<float> tail(static_cast<std::size_t>(stream.flush_size() * stream.output_width()));
  stream.flush(tail.data());
  y.insert(y.end(), tail.begin(), tail.end());
  output.write(reinterpret_cast<const char*>(y.data()),
               static_cast<std::streamsize>(y.size() * sizeof(float)));
}

void run(const char* programs, const char* floats_path, const char* output_path) {
  std::ifstream text(programs), floats(floats_path, std::ios::binary);
  std::ofstream output(output_path, std::ios::binary);
  for (int n = next<int>(text); n > 0; --n) run_one(text, floats, output);
}

}  // namespace
}  // namespace rtaudio

int main(int argc, char** argv) {
  try {
    if (argc != 4) throw std::runtime_error("usage: run_program PROGRAMS FLOATS OUTPUT");
    rtaudio::run(argv[1], argv[2], argv[3]);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "run_program: " << error.what() << "\n";
    return 1;
  }
}
