// Short-time spectra: a team transforms a frame, a phase a stage, with the sums of cpu/fft.inl.
#pragma once

#include "core/fft_butterfly.h"
#include "core/fft_plan.h"
#include "cuda/works/matmul.h"

namespace rtaudio::gpu {

// The plan's complex transform, between two arrays of each frame by turns.
struct Transform {
  static constexpr int kThreads = 128;
  using Complex = fft::Complex<float>;

  struct Array {
    float* re;
    float* im;

    RTA_HD Complex operator[](int i) const { return {re[i], im[i]}; }
    RTA_HD void set(int i, Complex value) const {
      re[i] = value.re;
      im[i] = value.im;
    }
  };

  FftPlan plan;
  Memory space;  // 4 * complex_length floats a frame

  RTA_HD int stages() const { return plan.num_row_factors + 1 + plan.num_column_factors; }
  // Behind the cosines of plan.split.
  RTA_HD int sines() const { return (plan.complex_length + 1 + 15) / 16 * 16; }
  // What stage `i` reads, and the one before it writes.
  RTA_HD Array array(int lane, int t, int i) const {
    const int length = plan.complex_length;
    float* first = space.of(lane) + (std::ptrdiff_t{2} * t + i % 2) * 2 * length;
    return {first, first + length};
  }

  RTA_HD void run(int lane, int t, int stage, int thread) const {
    const Array x = array(lane, t, stage), y = array(lane, t, stage + 1);
    const int at = stage - plan.num_row_factors;
    if (at < 0) {
      pass(x, y, plan.row_factors, stage, plan.rows, plan.columns, plan.row_twiddles, thread);
    } else if (at == 0) {
      twist(x, y, thread);
    } else {
      pass(x, y, plan.column_factors, at - 1, plan.columns, plan.rows, plan.column_twiddles,
           thread);
    }
  }

 private:
  // Factor `number` of transforms of length m down `width` columns.
  RTA_HD static void pass(Array x, Array y, const std::int32_t* factors, int number, int m,
                          int width, const float* twiddles, int thread) {
    for (int i = 0; i < number; ++i) {
      const int factor = factors[i];
      m /= factor;
      twiddles += 2 * (factor - 1) * m;
      width *= factor;
    }
    switch (factors[number]) {
      case 2:
        return butterflies<2>(x, y, m / 2, width, twiddles, thread);
      case 3:
        return butterflies<3>(x, y, m / 3, width, twiddles, thread);
      case 4:
        return butterflies<4>(x, y, m / 4, width, twiddles, thread);
      case 5:
        return butterflies<5>(x, y, m / 5, width, twiddles, thread);
      default:
        return butterflies<7>(x, y, m / 7, width, twiddles, thread);
    }
  }
  template <int R>
  RTA_HD static void butterflies(Array x, Array y, int parts, int width, const float* twiddles,
                                 int thread) {
    for (int i = thread; i < parts * width; i += kThreads) {
      const int part = i / width;
      const float* w = twiddles + 2 * (R - 1) * part;
      Complex a[R];
      for (int j = 0; j < R; ++j) a[j] = x[i + j * parts * width];
      fft::butterfly(a);
      const int to = i + (R - 1) * part * width;
      y.set(to, a[0]);
      for (int j = 1; j < R; ++j) {
        y.set(to + j * width, part == 0 ? a[j] : fft::times(a[j], w[2 * j - 2], w[2 * j - 1]));
      }
    }
  }
  // Times the cross factors, then transposed.
  RTA_HD void twist(Array x, Array y, int thread) const {
    const int step = (plan.columns + 15) / 16 * 16;
    for (int i = thread; i < plan.complex_length; i += kThreads) {
      const int r = i / plan.columns, c = i % plan.columns;
      const float* cross = plan.cross + r * step + c;
      y.set(c * plan.rows + r, r == 0 ? x[i] : fft::times(x[i], cross[0], cross[plan.rows * step]));
    }
  }
};

// Spectra [re, im] of frames times a window, with zeros up to the transform's length.
struct Stft {
  static constexpr int kTeam = Transform::kThreads;
  Timing timing;
  Window x;
  const float* window;
  int window_floats;
  Transform transform;
  Signal y;
  bool zeros;  // of frames that the input does not have

  RTA_HD std::int64_t teams(int ticks) const { return places(timing.lanes, y.frames * ticks, 1); }
  RTA_HD int phases(int /*ticks*/) const { return transform.stages() + 2; }
  RTA_HD void operator()(int team, int phase, int thread, int ticks) const {
    const Place p(team, y.frames * ticks, 1);
    if (timing.held[p.lane] != 0) return;
    if (phase == 0) return enter(p, thread);
    if (phase <= transform.stages()) return transform.run(p.lane, p.t, phase - 1, thread);
    const bool zero = zeros && !timing.span(p.lane, ticks).contains(p.t);
    float* re = y.at(p.lane, p.t);
    float* im = re + y.channels / 2;
    for (int k = thread; k < y.channels / 2; k += kTeam) {
      const Transform::Complex value = zero ? Transform::Complex{0.0f, 0.0f} : bin(p, k);
      re[k] = value.re;
      im[k] = value.im;
    }
  }

 private:
  RTA_HD void enter(const Place& p, int thread) const {
    const float* in = x.at(p.lane, timing.position(p.lane), p.t);
    const auto sample = [&](int i) { return i < window_floats ? in[i] * window[i] : 0.0f; };
    const bool even = transform.plan.split != nullptr;
    const Transform::Array to = transform.array(p.lane, p.t, 0);
    for (int i = thread; i < transform.plan.complex_length; i += kTeam) {
      to.set(i, {sample(even ? 2 * i : i), even ? sample(2 * i + 1) : 0.0f});
    }
  }
  RTA_HD Transform::Complex bin(const Place& p, int k) const {
    const Transform::Array z = transform.array(p.lane, p.t, transform.stages());
    const int length = transform.plan.complex_length;
    const float* cosines = transform.plan.split;
    if (cosines == nullptr) return z[k];
    return fft::split(z[k % length], z[(length - k) % length], cosines[k],
                      cosines[k + transform.sines()]);
  }
};

// Signals of spectra, times a window, zeros for frames that the input does not have.
struct Istft {
  static constexpr int kTeam = Transform::kThreads;
  Timing timing;
  Signal x;
  const float* window;
  Transform transform;
  Memory y;  // [frame][sample]

  RTA_HD std::int64_t teams(int ticks) const { return places(timing.lanes, x.frames * ticks, 1); }
  RTA_HD int phases(int /*ticks*/) const { return transform.stages() + 2; }
  RTA_HD void operator()(int team, int phase, int thread, int ticks) const {
    const Place p(team, x.frames * ticks, 1);
    if (timing.held[p.lane] != 0) return;
    const bool zero = !timing.span(p.lane, ticks).contains(p.t);
    if (phase == transform.stages() + 1) return leave(p, zero, thread);
    if (zero) return;
    if (phase == 0) return enter(p, thread);
    transform.run(p.lane, p.t, phase - 1, thread);
  }

 private:
  // The inverse transform is the forward one with real and imaginary parts exchanged. End bins are
  // real.
  RTA_HD void enter(const Place& p, int thread) const {
    const float* re = x.at(p.lane, p.t);
    const float* im = re + x.channels / 2;
    const int length = transform.plan.complex_length;
    const float* cosines = transform.plan.split;
    const Transform::Array to = transform.array(p.lane, p.t, 0);
    for (int k = thread; k < length; k += kTeam) {
      Transform::Complex z{0.0f, 0.0f};
      if (cosines != nullptr) {
        const Transform::Complex a{re[k], k == 0 ? 0.0f : im[k]};
        const Transform::Complex b{re[length - k], k == 0 ? 0.0f : im[length - k]};
        z = fft::merge(a, b, cosines[k], cosines[k + transform.sines()]);
      } else if (k <= length / 2) {
        z = {re[k], k == 0 ? 0.0f : im[k]};
      } else {
        z = {re[length - k], -im[length - k]};
      }
      to.set(k, {z.im, z.re});
    }
  }
  RTA_HD void leave(const Place& p, bool zero, int thread) const {
    const Transform::Array z = transform.array(p.lane, p.t, transform.stages());
    const int n = transform.plan.n, each = transform.plan.split != nullptr ? 2 : 1;
    float* const to = y.of(p.lane) + std::ptrdiff_t{p.t} * n;
    for (int i = thread; i < n; i += kTeam) {
      const float* from = i % each == 0 ? z.im : z.re;
      to[i] = zero ? 0.0f : from[i / each] * window[i];
    }
  }
};

// Rows [coefficients(taps, 2 * bins); re; im]: the newest one's coefficients, every tap's spectrum.
struct DeepFilter {
  Timing timing;
  Window x;
  int taps, bins;
  Signal y;

  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, bins}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    const float* oldest = x.at(p.lane, timing.position(p.lane), p.t) + p.c;
    const float* coefficients = oldest + (taps - 1) * x.tap_step;
    const float* in = oldest + std::ptrdiff_t{2} * bins * taps;
    float re = 0.0f, im = 0.0f;
    for (int tap = 0; tap < taps; ++tap, coefficients += 2 * bins, in += x.tap_step) {
      const float cr = coefficients[0], ci = coefficients[bins];
      re = fnma(ci, in[bins], fma(cr, in[0], re));
      im = fma(ci, in[0], fma(cr, in[bins], im));
    }
    y.at(p.lane, p.t)[p.c] = re;
    y.at(p.lane, p.t)[bins + p.c] = im;
  }
};

}  // namespace rtaudio::gpu
