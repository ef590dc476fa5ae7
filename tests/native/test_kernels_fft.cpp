#include "core/fft.h"

#include <complex>
#include <numbers>

#include "kernel_test.h"

namespace rtaudio {
namespace {

using Spectrum = std::vector<std::complex<double>>;

std::complex<double> turn(long k, int n) {
  const double angle = 2 * std::numbers::pi * static_cast<double>(k % n) / n;
  return {std::cos(angle), std::sin(angle)};
}
Spectrum naive_rfft(const std::vector<float>& x) {
  const int n = static_cast<int>(x.size());
  Spectrum bins;
  for (int k = 0; k <= n / 2; ++k) {
    std::complex<double> sum;
    for (int t = 0; t < n; ++t) {
      sum += static_cast<double>(x[static_cast<std::size_t>(t)]) * std::conj(turn(1L * k * t, n));
    }
    bins.push_back(sum);
  }
  return bins;
}
// n times the inverse transform; imaginary parts of the end bins are not looked at.
std::vector<double> naive_irfft(const Spectrum& bins, int n) {
  std::vector<double> x;
  for (int t = 0; t < n; ++t) {
    double sum = bins[0].real();
    for (int k = 1; k < (n + 1) / 2; ++k) {
      sum += 2 * (bins[static_cast<std::size_t>(k)] * turn(1L * k * t, n)).real();
    }
    if (n % 2 == 0) sum += (t % 2 == 0 ? 1 : -1) * bins.back().real();
    x.push_back(sum);
  }
  return x;
}

std::vector<float> run_rfft(const Kernels& k, const FftTables& tables,
                            const std::vector<float>& x) {
  const std::size_t bins = x.size() / 2 + 1;
  std::vector<float> y(2 * bins + 2, kGuard);
  std::vector<float> scratch(fft_scratch_floats(static_cast<int>(x.size())) + 1, kNan);
  scratch.back() = kGuard;
  k.rfft(tables.view(), x.data(), y.data(), y.data() + bins + 1, scratch.data());
  EXPECT_EQ(y[bins], kGuard);
  EXPECT_EQ(y[2 * bins + 1], kGuard);
  EXPECT_EQ(scratch.back(), kGuard);
  return y;
}
std::vector<float> run_irfft(const Kernels& k, const FftTables& tables,
                             const std::vector<float>& re, const std::vector<float>& im, int n) {
  std::vector<float> y(static_cast<std::size_t>(n) + 1, kGuard);
  std::vector<float> scratch(fft_scratch_floats(n) + 1, kNan);
  scratch.back() = kGuard;
  k.irfft(tables.view(), re.data(), im.data(), y.data(), scratch.data());
  EXPECT_EQ(y.back(), kGuard);
  EXPECT_EQ(scratch.back(), kGuard);
  y.pop_back();
  return y;
}

TEST(Fft, MatchesTheDefinition) {
  for (const int n : {2,   3,   4,   5,   6,   7,   8,   9,   10,  12,  14,   15,   16,   18,
                      20,  21,  28,  30,  35,  42,  48,  49,  50,  60,  64,   98,   105,  126,
                      160, 240, 320, 441, 480, 512, 630, 640, 882, 960, 1024, 1470, 1764, 1920}) {
    const FftTables tables = make_fft_tables(n);
    const std::vector<float> x = random_floats(static_cast<std::size_t>(n));
    const std::vector<float> y =
        on_all_levels([&](const Kernels& k) { return run_rfft(k, tables, x); });
    const Spectrum expected = naive_rfft(x);
    const std::size_t bins = expected.size();
    const double tolerance = 4e-7 * std::sqrt(n) * std::log2(n + 1);
    std::vector<float> re, im;
    for (std::size_t b = 0; b < bins; ++b) {
      re.push_back(y[b]);
      im.push_back(y[bins + 1 + b]);
      ASSERT_NEAR(re.back(), expected[b].real(), tolerance) << n << " bin " << b;
      ASSERT_NEAR(im.back(), expected[b].imag(), tolerance) << n << " bin " << b;
    }
    const std::vector<float> back = on_all_levels([&](const Kernels& k) {
      std::vector<float> scaled = run_irfft(k, tables, re, im, n);
      for (float& value : scaled) value /= static_cast<float>(n);
      return scaled;
    });
    for (std::size_t t = 0; t < x.size(); ++t) ASSERT_NEAR(back[t], x[t], 3e-6) << n;
  }
}

TEST(Fft, InverseTakesAnySpectrumAsTorchDoes) {
  for (const int n : {2, 7, 16, 20, 105, 320, 960}) {
    const FftTables tables = make_fft_tables(n);
    const auto bins = static_cast<std::size_t>(n / 2 + 1);
    const std::vector<float> re = random_floats(bins, 1, 5), im = random_floats(bins, 1, 6);
    Spectrum spectrum;
    for (std::size_t b = 0; b < bins; ++b) spectrum.emplace_back(re[b], im[b]);
    const std::vector<float> y =
        on_all_levels([&](const Kernels& k) { return run_irfft(k, tables, re, im, n); });
    const std::vector<double> expected = naive_irfft(spectrum, n);
    for (std::size_t t = 0; t < y.size(); ++t) {
      ASSERT_NEAR(y[t], expected[t], 1e-6 * std::sqrt(n) * std::log2(n + 1)) << n << " at " << t;
    }
  }
}

TEST(Fft, NeverLeavesItsScratch) {
  int checked = 0;
  for (int n = 2; n <= 8192; ++n) {
    try {
      const FftTables tables = make_fft_tables(n);
      const std::vector<float> x(static_cast<std::size_t>(n), 1.0f);
      run_rfft(*best_level(), tables, x);
      ++checked;
    } catch (const std::invalid_argument&) {
    }
  }
  EXPECT_GT(checked, 200);
}

TEST(Fft, RefusesOtherLengthsInASentence) {
  for (const int n : {-4, 0, 1, 11, 13, 22, 26, 1 << 21}) {
    EXPECT_THROW(make_fft_tables(n), std::invalid_argument) << n;
  }
  try {
    make_fft_tables(22);
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("an FFT of 22 points"), std::string::npos);
  }
}

TEST(Spectrum, PowerCompressionAndDeepFilter) {
  for (const int bins : {1, 15, 16, 33, 96, 481}) {
    const auto n = static_cast<std::size_t>(bins);
    constexpr int kTaps = 5;
    const std::vector<float> c = random_floats(2 * n * kTaps, 1, 7);
    const std::vector<float> x = random_floats(2 * n * kTaps, 1, 8);
    const auto run = [&](const Kernels& k) {
      std::vector<float> y(5 * n + 1, kGuard);
      k.complex_power(x.data(), x.data() + n, y.data(), bins);
      k.complex_compress(x.data(), x.data() + n, y.data() + n, y.data() + 2 * n, bins, 0.3f, 1e-6f);
      k.deep_filter(c.data(), x.data(), 2 * bins, bins, kTaps, bins, y.data() + 3 * n,
                    y.data() + 4 * n);
      EXPECT_EQ(y.back(), kGuard);
      return y;
    };
    const std::vector<float> y = on_all_levels(run);
    for (std::size_t b = 0; b < n; ++b) {
      const std::complex<double> z(x[b], x[n + b]);
      const std::complex<double> compressed = z * std::pow(std::norm(z) + 1e-6, -0.35);
      ASSERT_NEAR(y[b], std::norm(z), 2e-6);
      ASSERT_NEAR(y[n + b], compressed.real(), 1e-6);
      ASSERT_NEAR(y[2 * n + b], compressed.imag(), 1e-6);
      std::complex<double> sum;
      for (std::size_t tap = 0; tap < kTaps; ++tap) {
        const std::size_t at = tap * 2 * n + b;
        sum += std::complex<double>(c[at], c[at + n]) * std::complex<double>(x[at], x[at + n]);
      }
      ASSERT_NEAR(y[3 * n + b], sum.real(), 5e-6);
      ASSERT_NEAR(y[4 * n + b], sum.imag(), 5e-6);
    }
  }
}

}  // namespace
}  // namespace rtaudio
