// libFuzzer's target: any program is refused with std::invalid_argument or std::length_error, or
// its model runs: sessions and streams on any input, saved, loaded, held and reset.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "../native/lone_layers.h"
#include "model/stream.h"
#include "mutate_program.h"
#include "program_text.h"

namespace rtaudio {
namespace {

constexpr std::size_t kMaxFloats = 1 << 21;
constexpr double kMaxWork = 3e6;  // multiplications a tick, so that a run takes milliseconds
constexpr std::int64_t kMaxOutput = 1 << 19;

double work_of_a_tick(const ProgramSpec& program) {
  double work = 0, repeated = 1;
  std::size_t loop_end = 0;  // the operations of a loop run for each of its samples
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    const OperationSpec& op = program.operations[i];
    if (i >= loop_end) repeated = 1;
    const BufferSpec& in = program.buffers[static_cast<std::size_t>(op.inputs[0])];
    const BufferSpec& out = program.buffers[static_cast<std::size_t>(op.output)];
    double weights = 100.0 * (in.channels + out.channels);
    for (const auto& [slot, name] : op.tensors) {
      const auto found = program.tensors.find(name);
      if (found != program.tensors.end()) weights += static_cast<double>(found->second.data.size());
    }
    work += weights * std::max(in.frames, out.frames) * repeated;
    if (op.kind == "feedback") {
      repeated = out.frames;
      loop_end = i + 1 + static_cast<std::size_t>(op.ints.at("operations"));
    }
  }
  return work;
}

std::vector<float> signal(std::size_t size, unsigned kind) {
  std::vector<float> x(size);
  for (std::size_t i = 0; i < size; ++i) x[i] = fuzz::fill_value(static_cast<int>(kind % 5), i);
  return x;
}

void run_session(const std::shared_ptr<const Model>& model, unsigned seed) {
  const int lanes = 1 + static_cast<int>(seed % 2), ticks = 1 + static_cast<int>(seed / 2 % 3);
  const std::vector<float> controls(static_cast<std::size_t>(model->num_controls()), 0.5f);
  Session session(model, lanes, ticks, 40.0, controls, kMaxFloats);
  Session other(model, lanes, ticks + 1, 40.0, controls, kMaxFloats);
  const auto in = static_cast<std::size_t>(model->input().channels * model->input().frames);
  const auto out = static_cast<std::size_t>(model->output().channels * model->output().frames);
  const auto in_step = static_cast<std::ptrdiff_t>(in) * (ticks + 1);
  const auto out_step = static_cast<std::ptrdiff_t>(out) * (ticks + 1);
  std::vector<float> y(static_cast<std::size_t>(out_step * lanes));
  for (unsigned call = 0; call < 4; ++call) {
    const std::vector<float> x = signal(static_cast<std::size_t>(in_step * lanes), seed + call);
    if (call == 2) session.hold(0, true);
    if (call == 3) session.reset(lanes - 1);
    if (model->num_controls() > 0) session.set_control(0, fuzz::fill_value(1, call));
    session.process(x.data(), in_step, y.data(), out_step, ticks);
  }
  std::vector<Session::StateTensor> saved = session.save(lanes - 1);
  other.load(lanes - 1, session.ticks(lanes - 1), saved);
  for (Session::StateTensor& tensor : saved) {  // a saved state is not trusted
    if (seed / 16 % 2 == 0 || tensor.values.empty()) continue;
    const float huge = seed / 32 % 2 == 0 ? 1e30f : -1e30f;
    tensor.values[seed / 64 % tensor.values.size()] = huge;
    tensor.values[0] = fuzz::fill_value(static_cast<int>(seed % 5), 0);
  }
  other.load(lanes - 1, session.ticks(lanes - 1), saved);
  other.end(lanes - 1, (seed / 8) % 50);
  const std::vector<float> x = signal(static_cast<std::size_t>(in_step * lanes), seed);
  other.process(x.data(), in_step, y.data(), out_step, ticks + 1);
}

void run_layers(const Model& model, unsigned seed) {
  const int ticks = 2 + static_cast<int>(seed / 64 % 2);
  std::size_t largest = 0;
  for (const Model::Operation& op : model.operations()) {
    const int frames = model.buffers()[static_cast<std::size_t>(op.inputs[0])].frames;
    if (std::int64_t{frames} * (ticks + 1) > 1 << 20) return;
    const int longest = frames * (ticks + 1);
    largest =
        std::max({largest, op.layer->state_floats(longest), op.layer->scratch_floats(longest)});
  }
  if (largest > kMaxFloats) return;
  LoneLayers::run(model, ticks, [seed](std::size_t i) {
    return fuzz::fill_value(static_cast<int>(seed % 5), i);
  });
}

void run_stream(const std::shared_ptr<const Model>& model, unsigned seed) {
  const std::vector<float> controls(static_cast<std::size_t>(model->num_controls()), 0.5f);
  Stream stream(model, 1, 2, 40.0, controls, 0);
  const std::int64_t tick = model->input().frames;
  const auto width = static_cast<std::size_t>(stream.input_width());
  for (const std::int64_t frames : {std::int64_t{1}, tick, 2 * tick + 1}) {
    if (stream.push_size(frames) * stream.output_width() > kMaxOutput) return;
    const std::vector<float> x = signal(static_cast<std::size_t>(frames) * width, seed);
    std::vector<float> y(static_cast<std::size_t>(stream.push_size(frames)) *
                         static_cast<std::size_t>(stream.output_width()));
    stream.push(x.data(), frames, y.data());
    stream.load(stream.save());
  }
  const std::int64_t rest = stream.flush_size();
  if (rest * stream.output_width() > kMaxOutput || stream.delay() > 4096) return;
  std::vector<float> y(static_cast<std::size_t>(rest * stream.output_width()));
  stream.flush(y.data());
  stream.reset();
  if (!stream.can_process() || model->input().channels != model->output().channels) return;
  const std::vector<float> x = signal(static_cast<std::size_t>(tick + 1) * width, seed + 1);
  y.resize(x.size());
  stream.process(x.data(), y.data(), tick + 1);
  stream.load(stream.save());
}

void run(const std::string& text) {
  const fuzz::ProgramText parsed = fuzz::parse_program(text);
  unsigned seed = 0;
  for (const char c : text) seed = seed * 31 + static_cast<unsigned char>(c);
  const ProgramSpec program = fuzz::make_program(parsed);
  try {
    auto model = std::make_shared<const Model>(program, fuzz::make_precision(parsed));
    if (work_of_a_tick(program) > kMaxWork) return;
    run_session(model, seed);
    run_layers(*model, seed);
    if (model->precision().calibrate) {
      Precision noted;
      noted.format = WeightFormat::int8;
      noted.input_ranges = model->precision().input_ranges;
      model = std::make_shared<const Model>(program, std::move(noted));
    }
    run_stream(model, seed);
  } catch (const std::invalid_argument&) {
  } catch (const std::length_error&) {
  }
}

}  // namespace
}  // namespace rtaudio

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rtaudio::run({reinterpret_cast<const char*>(data), size});
  return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  if (seed % 16 == 0) return LLVMFuzzerMutate(data, size, max_size);
  rtaudio::fuzz::ProgramText program =
      rtaudio::fuzz::parse_program({reinterpret_cast<const char*>(data), size});
  rtaudio::fuzz::ProgramMutator(seed).mutate(program);
  const std::string text = rtaudio::fuzz::print_program(program);
  if (text.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, text.data(), text.size());
  return text.size();
}
