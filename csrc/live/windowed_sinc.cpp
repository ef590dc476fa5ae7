#include "live/windowed_sinc.h"

#include <cmath>
#include <numbers>

namespace rtaudio {
namespace {

// Found by trying: with kSincHalfWidth the narrowest that keeps what the header promises.
constexpr double kBeta = 8.0;
constexpr double kCutoff = 0.986;  // of half the lower rate

// The modified Bessel function of order 0, by its series.
double bessel_i0(double x) {
  double term = 1.0, sum = 1.0;
  for (int k = 1; term > 1e-17 * sum; ++k) {
    term *= (x / (2.0 * k)) * (x / (2.0 * k));
    sum += term;
  }
  return sum;
}

}  // namespace

double windowed_sinc(double t) {
  const double u = t / kSincHalfWidth;
  if (std::fabs(u) > 1.0 - 1e-9) return 0.0;  // an end that rounding moved is an end
  const double x = std::numbers::pi * kCutoff * t;
  const double sinc = std::fabs(x) < 1e-12 ? 1.0 : std::sin(x) / x;
  return sinc * bessel_i0(kBeta * std::sqrt(1.0 - u * u)) / bessel_i0(kBeta);
}

}  // namespace rtaudio
