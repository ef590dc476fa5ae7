#include "model/whole.h"

#include <algorithm>
#include <stdexcept>

#include "model/samples.h"
#include "model/session.h"

namespace rtaudio {

constexpr std::size_t kMostFloats = std::size_t{1} << 29;  // 2 GiB

std::vector<float> run_whole(std::shared_ptr<const Model> model, const float* input,
                             std::int64_t num_frames, std::vector<float> controls) {
  const BufferSpec &in = model->input(), &out = model->output();
  const std::int64_t wanted = model->output_length(num_frames);
  const std::int64_t ticks = std::max((num_frames + in.frames - 1) / in.frames,
                                      (out.delay + wanted + out.frames - 1) / out.frames);
  if (ticks == 0) return {};
  if (ticks > 1 << 20) {
    throw std::length_error("a signal of " + std::to_string(num_frames) +
                            " frames is too long to be looked at as a whole; stream it");
  }
  Session session(model, 1, static_cast<int>(ticks), 1.0, std::move(controls), 1, kMostFloats);
  session.end(0, num_frames);
  session.expect_whole();
  std::vector<float> x(static_cast<std::size_t>(ticks * in.frames * in.channels));
  std::int64_t num_bad = 0;
  std::transform(input, input + num_frames * in.channels, x.begin(),
                 [&](float sample) { return let_in(sample, num_bad); });
  std::vector<float> y(static_cast<std::size_t>(ticks * out.frames * out.channels));
  session.process(x.data(), 0, y.data(), 0, static_cast<int>(ticks));
  y.erase(y.begin(), y.begin() + std::ptrdiff_t{out.delay} * out.channels);
  y.resize(static_cast<std::size_t>(wanted * out.channels));
  return y;
}

}  // namespace rtaudio
