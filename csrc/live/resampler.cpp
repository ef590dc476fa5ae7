#include "live/resampler.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <stdexcept>
#include <string>

namespace rtaudio {
namespace {

// Found by trying: with kHalfWidth the narrowest that keeps what the class promises.
constexpr double kBeta = 8.0;
constexpr double kCutoff = 0.986;                   // of half the lower rate
constexpr std::int64_t kMaxCoefficients = 1 << 22;  // 16 MiB
constexpr int kVector = 8;

// The modified Bessel function of order 0, by its series.
double bessel_i0(double x) {
  double term = 1.0, sum = 1.0;
  for (int k = 1; term > 1e-17 * sum; ++k) {
    term *= (x / (2.0 * k)) * (x / (2.0 * k));
    sum += term;
  }
  return sum;
}

// `t` in samples of the lower rate.
double kernel(double t) {
  const double u = t / Resampler::kHalfWidth;
  if (std::fabs(u) > 1.0 - 1e-9) return 0.0;  // an end that rounding moved is an end
  const double x = std::numbers::pi * kCutoff * t;
  const double sinc = std::fabs(x) < 1e-12 ? 1.0 : std::sin(x) / x;
  return sinc * bessel_i0(kBeta * std::sqrt(1.0 - u * u)) / bessel_i0(kBeta);
}

int checked(int rate, const char* which) {
  if (rate < 1000 || rate > 768000) {
    throw std::invalid_argument("the " + std::string(which) + " rate is " + std::to_string(rate) +
                                " Hz; give 1000 to 768000");
  }
  return rate;
}

}  // namespace

double Resampler::least_delay(int input_rate, int output_rate) {
  return static_cast<double>(kHalfWidth) * input_rate / std::min(input_rate, output_rate);
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
  const int used = static_cast<int>(std::floor(delay_ + kHalfWidth * per_low)) + 1;
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
      values[static_cast<std::size_t>(i)] = kernel((i + fraction - delay_) / per_low);
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
      float sums[kVector] = {};  // one a vector lane, always in the same order
      for (int i = 0; i < taps_; i += kVector) {
        for (int j = 0; j < kVector; ++j) sums[j] += coefficients[i + j] * x[i + j];
      }
      out[std::ptrdiff_t{count} * lanes_ + lane] =
          ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
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
