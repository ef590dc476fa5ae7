#include "live/resampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "live/dot.h"
#include "live/windowed_sinc.h"

namespace rtaudio {
namespace {

constexpr std::int64_t kMaxCoefficients = 1 << 22;  // 16 MiB
constexpr int kVector = 8;

int checked(int rate, const char* which) {
  if (rate < 1000 || rate > 768000) {
    throw std::invalid_argument("the " + std::string(which) + " rate is " + std::to_string(rate) +
                                " Hz; give 1000 to 768000");
  }
  return rate;
}

}  // namespace

double Resampler::least_delay(int input_rate, int output_rate) {
  return static_cast<double>(kSincHalfWidth) * input_rate / std::min(input_rate, output_rate);
}

Resampler::Resampler(int input_rate, int output_rate, int lanes, int max_frames, double more_delay)
    : lanes_(lanes), max_frames_(max_frames) {
  checked(input_rate, "input");
  checked(output_rate, "output");
  if (lanes < 1 || max_frames < 1 || !(more_delay >= 0.0 && more_delay <= 1e4)) {
    throw std::invalid_argument("a resampler needs lanes and frames above zero");
  }
  const int common = std::gcd(input_rate, output_rate);
  in_step_ = input_rate / common;
  out_step_ = output_rate / common;
  const double per_low = static_cast<double>(input_rate) / std::min(input_rate, output_rate);
  delay_ = least_delay(input_rate, output_rate) + more_delay;
  const int used = static_cast<int>(std::floor(delay_ + kSincHalfWidth * per_low)) + 1;
  taps_ = (used + kVector - 1) / kVector * kVector;
  if (out_step_ * taps_ > kMaxCoefficients) {
    throw std::invalid_argument("going from " + std::to_string(input_rate) + " to " +
                                std::to_string(output_rate) +
                                " Hz needs too large a filter; use 44100 or 48000 Hz");
  }
  phases_.resize(static_cast<std::size_t>(out_step_ * taps_));
  for (std::int64_t phase = 0; phase < out_step_; ++phase) {
    const double fraction = static_cast<double>(phase) / static_cast<double>(out_step_);
    std::vector<double> values(static_cast<std::size_t>(taps_));
    double sum = 0.0;
    for (int i = 0; i < taps_; ++i) {  // i samples ago
      values[static_cast<std::size_t>(i)] = windowed_sinc((i + fraction - delay_) / per_low);
      sum += values[static_cast<std::size_t>(i)];
    }
    float* to = phases_.data() + phase * taps_;
    for (int i = 0; i < taps_; ++i) {
      to[taps_ - 1 - i] = static_cast<float>(values[static_cast<std::size_t>(i)] / sum);
    }
  }
  past_ = taps_ - 1;
  stride_ = past_ + max_frames;
  lines_.resize(static_cast<std::size_t>(lanes) * static_cast<std::size_t>(stride_));
}

int Resampler::max_output(int frames) const {
  return static_cast<int>((frames * out_step_ + in_step_ - 1) / in_step_) + 1;
}

void Resampler::reset() noexcept {
  std::fill(lines_.begin(), lines_.end(), 0.0f);
  phase_ = ahead_ = 0;
}

int Resampler::push(const float* in, int frames, float* out) noexcept {
  for (int lane = 0; lane < lanes_; ++lane) {
    float* line = lines_.data() + std::ptrdiff_t{lane} * stride_ + past_;
    for (int t = 0; t < frames; ++t) line[t] = in[std::ptrdiff_t{t} * lanes_ + lane];
  }
  int count = 0;
  while (ahead_ < frames) {
    const float* coefficients = phases_.data() + phase_ * taps_;
    for (int lane = 0; lane < lanes_; ++lane) {
      // The newest sample of the sum is line[past_ + ahead_].
      const float* x = lines_.data() + std::ptrdiff_t{lane} * stride_ + ahead_;
      out[std::ptrdiff_t{count} * lanes_ + lane] = dot(coefficients, x, taps_);
    }
    ++count;
    phase_ += in_step_;
    ahead_ += phase_ / out_step_;
    phase_ %= out_step_;
  }
  ahead_ -= frames;
  for (int lane = 0; lane < lanes_; ++lane) {
    float* line = lines_.data() + std::ptrdiff_t{lane} * stride_;
    std::copy(line + frames, line + frames + past_, line);
  }
  return count;
}

}  // namespace rtaudio
