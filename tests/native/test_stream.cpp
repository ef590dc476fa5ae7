// What Python cannot see of a model at work: threads, real-time safety and broken programs. Build
// it under TSan, RTSan and ASan (./dev native); push and process are marked nonblocking.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "kernel_test.h"
#include "model/stream.h"
#include "programs.h"

namespace rtaudio {
namespace {

constexpr int kHop = 8;
constexpr int kWindow = 2 * kHop;
constexpr int kBins = kWindow / 2 + 1;

void add_tensor(ProgramSpec& program, const std::string& name, std::vector<std::int64_t> shape) {
  std::size_t size = 1;
  for (const std::int64_t n : shape) size *= static_cast<std::size_t>(n);
  program.tensors[name] = {std::move(shape), random_floats(size, 0.3f)};
}

// A small denoiser: STFT, convolution, gated stack, LSTM, linear layer, inverse STFT.
ProgramSpec small_program() {
  ProgramSpec p;
  p.buffers = {{1, kHop, 0}, {2 * kBins, 1, 0}, {20, 1, 0},     {8, 1, 0},
               {6, 1, 0},    {2 * kBins, 1, 0}, {1, kHop, kHop}};
  p.input = 0;
  p.output = 6;
  p.num_controls = 0;
  p.operations = {
      {"stft",
       {0},
       1,
       {{"window", kWindow}, {"hop", kHop}, {"tail", kHop}, {"extra", 0}},
       {},
       {{"window", "analysis"}},
       -1},
      {"conv1d",
       {1},
       2,
       {{"kernel", 3}, {"dilation", 2}, {"stride", 1}, {"groups", 1}, {"tail", 0}, {"extra", 0}},
       {},
       {{"weight", "conv.weight"}, {"bias", "conv.bias"}},
       -1},
      {"gated_stack",
       {2},
       3,
       {{"channels", 20},
        {"gate_channels", 8},
        {"skip_channels", 8},
        {"kernel", 2},
        {"num_layers", 2},
        {"dilation.0", 1},
        {"dilation.1", 2}},
       {},
       {},
       -1},
      {"lstm", {3}, 4, {{"hidden", 6}}, {}, {}, -1},
      {"conv1d",
       {4},
       5,
       {{"kernel", 1}, {"dilation", 1}, {"stride", 1}, {"groups", 1}, {"tail", 0}, {"extra", 0}},
       {},
       {{"weight", "linear.weight"}},
       -1},
      {"istft",
       {5},
       6,
       {{"window", kWindow}, {"hop", kHop}, {"trim", kHop}},
       {},
       {{"window", "synthesis"}},
       -1},
  };
  add_tensor(p, "analysis", {kWindow});
  add_tensor(p, "synthesis", {kWindow});
  add_tensor(p, "conv.weight", {20, 2 * kBins, 3});
  add_tensor(p, "conv.bias", {20});
  add_tensor(p, "linear.weight", {2 * kBins, 6, 1});
  for (const std::string layer : {"layers.0.", "layers.1."}) {
    add_tensor(p, layer + "conv.weight", {16, 20, 2});
    add_tensor(p, layer + "conv.bias", {16});
    add_tensor(p, layer + "out.weight", {28, 8, 1});
    add_tensor(p, layer + "out.bias", {28});
    for (const std::string slot : {"conv.weight", "conv.bias", "out.weight", "out.bias"}) {
      p.operations[2].tensors[layer + slot] = layer + slot;
    }
  }
  add_tensor(p, "weight_ih", {24, 8});
  add_tensor(p, "weight_hh", {24, 6});
  add_tensor(p, "bias_ih", {24});
  add_tensor(p, "bias_hh", {24});
  for (const std::string slot : {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}) {
    p.operations[3].tensors[slot] = slot;
  }
  return p;
}

Stream make_stream(std::shared_ptr<const Model> model, int lanes = 1, int process_frames = 0) {
  return {std::move(model), lanes, 4, 1.0, {}, process_frames};
}

// Pushes all of `x` in blocks of 1 to `longest` frames, then flushes.
std::vector<float> pushed(Stream& stream, const std::vector<float>& x, int longest, unsigned seed) {
  std::mt19937 generator(seed);
  const auto in = static_cast<std::size_t>(stream.input_width());
  const auto out = static_cast<std::size_t>(stream.output_width());
  std::vector<float> y;
  for (std::size_t done = 0; done < x.size() / in;) {
    const auto wanted = 1 + generator() % static_cast<unsigned>(longest);
    const std::size_t frames = std::min<std::size_t>(wanted, x.size() / in - done);
    std::vector<float> part(
        static_cast<std::size_t>(stream.push_size(static_cast<std::int64_t>(frames))) * out);
    stream.push(x.data() + done * in, static_cast<std::int64_t>(frames), part.data());
    y.insert(y.end(), part.begin(), part.end());
    done += frames;
  }
  std::vector<float> tail(static_cast<std::size_t>(stream.flush_size()) * out);
  stream.flush(tail.data());
  y.insert(y.end(), tail.begin(), tail.end());
  return y;
}

TEST(Stream, AnySplitGivesTheSameBits) {
  const auto model = std::make_shared<const Model>(small_program());
  const std::vector<float> x = random_floats(2 * 501);
  Stream whole = make_stream(model, 2);
  const std::vector<float> expected = pushed(whole, x, 501, 0);
  EXPECT_EQ(expected.size(), x.size());
  for (const int longest : {1, 7, 8, 40, 300}) {
    Stream stream = make_stream(model, 2);
    EXPECT_TRUE(same_bits(pushed(stream, x, longest, 1), expected)) << "blocks up to " << longest;
  }
}

TEST(Stream, ProcessIsTheSameSignalLater) {
  const auto model = std::make_shared<const Model>(small_program());
  const std::vector<float> x = random_floats(400);
  Stream pushing = make_stream(model);
  const std::vector<float> expected = pushed(pushing, x, 400, 0);
  for (const int block : {1, 5, 8, 80}) {
    Stream stream = make_stream(model, 1, block);
    const auto delay = static_cast<std::size_t>(stream.delay() + stream.extra_delay());
    std::vector<float> y(x.size());
    for (std::size_t t = 0; t < x.size(); t += static_cast<std::size_t>(block)) {
      stream.process(x.data() + t, y.data() + t, block);
    }
    EXPECT_TRUE(same_bits({y.begin() + static_cast<std::ptrdiff_t>(delay), y.end()},
                          {expected.begin(), expected.end() - static_cast<std::ptrdiff_t>(delay)}))
        << "blocks of " << block;
  }
}

TEST(Stream, ThreadsShareAModel) {
  const auto model = std::make_shared<const Model>(small_program());
  const std::vector<float> x = random_floats(800);
  std::vector<std::vector<float>> outputs(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    threads.emplace_back([&, i] {
      Stream stream = make_stream(model);
      outputs[i] = pushed(stream, x, 30, static_cast<unsigned>(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& y : outputs) EXPECT_TRUE(same_bits(y, outputs[0]));
}

// One number of a program changed: either the constructor says so or the model runs in bounds.
void break_one_number(ProgramSpec& p, std::mt19937& generator) {
  constexpr std::int64_t kValues[] = {-1, 0, 1, 2, 3, 5, 7, 9, 16, 17, 33, 64, 4096, 1 << 30};
  const auto pick = [&](std::size_t n) { return generator() % n; };
  const std::int64_t value = kValues[pick(std::size(kValues))];
  OperationSpec& op = p.operations[pick(p.operations.size())];
  BufferSpec& buffer = p.buffers[pick(p.buffers.size())];
  switch (pick(7)) {
    case 0:
      if (op.ints.empty()) break;
      std::next(op.ints.begin(), static_cast<std::ptrdiff_t>(pick(op.ints.size())))->second = value;
      break;
    case 1:
      buffer.channels = static_cast<int>(value);
      break;
    case 2:
      buffer.frames = static_cast<int>(value);
      break;
    case 3:
      buffer.delay = static_cast<int>(value);
      break;
    case 4:
      op.inputs[0] = static_cast<int>(value);
      break;
    case 5:
      op.output = static_cast<int>(value);
      break;
    default: {
      auto tensor =
          std::next(p.tensors.begin(), static_cast<std::ptrdiff_t>(pick(p.tensors.size())));
      auto& shape = tensor->second.shape;
      shape[pick(shape.size())] = value;
      std::int64_t size = 1;
      for (const std::int64_t n : shape) size *= std::clamp<std::int64_t>(n, 0, 4096);
      tensor->second.data.assign(static_cast<std::size_t>(size), 0.1f);
    }
  }
}

TEST(Program, BrokenNumbersAreRefusedOrHarmless) {
  std::mt19937 generator(1);
  const std::vector<float> x = random_floats(4096);
  int refused = 0;
  constexpr int kTries = 1500;
  for (int i = 0; i < kTries; ++i) {
    ProgramSpec program = i % 3 == 0   ? small_program()
                          : i % 3 == 1 ? map_program()
                                       : memory_program();
    break_one_number(program, generator);
    if (generator() % 2 == 0) break_one_number(program, generator);
    try {
      Stream stream = make_stream(std::make_shared<const Model>(program));
      const std::int64_t frames = 4096 / stream.input_width();
      if (stream.push_size(frames) * stream.output_width() > 1 << 24) continue;
      pushed(stream, x, 100, 1);
    } catch (const std::invalid_argument& error) {
      ++refused;
      EXPECT_NE(std::string(error.what()).find(';'), std::string::npos) << error.what();
    } catch (const std::length_error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, kTries / 2);
}

}  // namespace
}  // namespace rtaudio
