// Works of one thread a float, each from its own frame: formulas of cpu/elementwise.inl.
#pragma once

#include "core/functions.h"
#include "cuda/lanes.h"

namespace rtaudio::gpu {

RTA_HD float apply_unary(Unary function, float x, float a, float b) {
  float y = x;
  with_unary(function, [&]<Unary F>() { y = apply<F>(x, a, b); });
  return y;
}

// y = f(x) for every float of a signal, its row's padding left out.
struct Function {
  Timing timing;
  Signal x, y;
  Unary function;
  float a, b;

  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, y.channels}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    y.at(p.lane, p.t)[p.c] = apply_unary(function, x.at(p.lane, p.t)[p.c], a, b);
  }
};

// What a frame's channels become, `tables` one float a channel.
struct Channelwise {
  enum class Kind : std::int32_t {
    gated_tanh,  // tanh(x[c]) sigmoid(x[channels + c])
    glu,         // x[c] sigmoid(x[channels + c])
    modulate,    // x[2 channels + c] x[c] + x[channels + c]
    affine,      // first[c] x[c] + second[c]
    prelu,       // x > 0 ? x : first[c] x
    gain,        // x[c % bins] x[bins + c], a complex frame of bins times a real one
    power,       // x[c]^2 + x[channels + c]^2
    compress     // x (|x|^2 + b)^a, complex
  };
  Timing timing;
  Signal x, y;
  Kind kind;
  const float* first;
  const float* second;
  float a, b;

  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, y.channels}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    y.at(p.lane, p.t)[p.c] = value(x.at(p.lane, p.t), p.c);
  }

 private:
  RTA_HD float value(const float* in, int c) const {
    const int n = y.channels;
    switch (kind) {
      case Kind::gated_tanh:
        return math::gated_tanh(in[c], in[n + c]);
      case Kind::glu:
        return in[c] * math::sigmoid(in[n + c]);
      case Kind::modulate:
        return fma(in[2 * n + c], in[c], in[n + c]);
      case Kind::affine:
        return fma(first[c], in[c], second[c]);
      case Kind::prelu:
        return in[c] > 0.0f ? in[c] : first[c] * in[c];
      case Kind::gain:
        return in[c % (n / 2)] * in[n / 2 + c];
      case Kind::power:
        return fma(in[c], in[c], in[n + c] * in[n + c]);
      case Kind::compress: {
        const int bin = c % (n / 2);
        const float re = in[bin], im = in[n / 2 + bin];
        return in[c] * math::power(fma(re, re, im * im) + b, a);
      }
    }
    return 0.0f;
  }
};

// y = a + b, a * b, or a + control (b - a), b of channels from `offset` on.
struct Pairwise {
  enum class Kind : std::int32_t { add, multiply, blend };
  Timing timing;
  Signal a, b, y;
  Kind kind;
  int offset;
  const float* control;  // one value a frame

  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, y.channels}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    const float left = a.at(p.lane, p.t)[p.c], right = b.at(p.lane, p.t)[offset + p.c];
    y.at(p.lane, p.t)[p.c] = kind == Kind::add        ? left + right
                             : kind == Kind::multiply ? left * right
                                                      : fma(control[p.t], right - left, left);
  }
};

// y[to + c] = x[index[c]], or x[from + c] without an index; nothing (-1, or beyond x) is zero.
struct Copy {
  Timing timing;
  Signal x, y;
  int from, to, count;
  const std::int32_t* index;

  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, count}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    const int at = index != nullptr ? index[p.c] : from + p.c;
    y.at(p.lane, p.t)[to + p.c] = at >= 0 && at < x.channels ? x.at(p.lane, p.t)[at] : 0.0f;
  }
};

// The column of a frame's code.
struct Embedding {
  Timing timing;
  Signal x, y;
  const float* columns;  // rows like y's
  int levels;

  RTA_HD Grid grid(int ticks) const { return {timing, y.frames * ticks, y.channels}; }
  RTA_HD void operator()(const Place& p, int /*ticks*/) const {
    const int code = nearest_code(x.at(p.lane, p.t)[0], levels);
    y.at(p.lane, p.t)[p.c] = columns[std::ptrdiff_t{code} * y.row + p.c];
  }
};

}  // namespace rtaudio::gpu
