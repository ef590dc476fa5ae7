// Element by element. A tail uses the same operations on a partly filled vector.

template <class F>
RTA_HD void for_each(std::size_t n, const F& f) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, kLanes);
  if (i < n) f(i, static_cast<int>(n - i));
}
RTA_HD Vec load_part(const float* p, int count) {
  return count == kLanes ? load(p) : load_first(p, count);
}
RTA_HD void store_part(float* p, int count, Vec value) {
  if (count == kLanes) {
    store(p, value);
  } else {
    store_first(p, count, value);
  }
}

template <class F>
RTA_HD void map(const float* x, float* y, std::size_t n, const F& f) {
  for_each(n,
           [&](std::size_t i, int count) { store_part(y + i, count, f(load_part(x + i, count))); });
}

void unary(Unary function, const float* x, float* y, std::size_t n, float a, float b) {
  with_unary(function, [&]<Unary F>() { map(x, y, n, [=](Vec v) { return apply<F>(v, a, b); }); });
}

void add(const float* a, const float* b, float* y, std::size_t n) {
  for_each(n, [&](std::size_t i, int count) {
    store_part(y + i, count, load_part(a + i, count) + load_part(b + i, count));
  });
}
void multiply(const float* a, const float* b, float* y, std::size_t n) {
  for_each(n, [&](std::size_t i, int count) {
    store_part(y + i, count, load_part(a + i, count) * load_part(b + i, count));
  });
}
void lerp(const float* a, const float* b, float t, float* y, std::size_t n) {
  const Vec vt(t);
  for_each(n, [&](std::size_t i, int count) {
    const Vec va = load_part(a + i, count);
    store_part(y + i, count, fma(vt, load_part(b + i, count) - va, va));
  });
}

// f(c, count) for the vectors of each row; rows are handed over by their pointers.
template <class F>
RTA_HD void for_each_row(const float* x, float* y, int channels, std::ptrdiff_t x_step,
                         std::ptrdiff_t y_step, int num_frames, const F& f) {
  for (int t = 0; t < num_frames; ++t, x += x_step, y += y_step) {
    for_each(static_cast<std::size_t>(channels),
             [&](std::size_t c, int count) { store_part(y + c, count, f(c, count, x)); });
  }
}

void copy_rows(const float* x, std::ptrdiff_t x_step, float* y, std::ptrdiff_t y_step, int channels,
               int num_frames) {
  for_each_row(x, y, channels, x_step, y_step, num_frames,
               [](std::size_t c, int count, const float* in) { return load_part(in + c, count); });
}
void affine(const float* scale, const float* bias, const float* x, float* y, int channels,
            std::ptrdiff_t x_step, std::ptrdiff_t y_step, int num_frames) {
  for_each_row(x, y, channels, x_step, y_step, num_frames,
               [&](std::size_t c, int count, const float* in) {
                 return fma(load(scale + c), load_part(in + c, count), load(bias + c));
               });
}
void prelu(const float* slope, const float* x, float* y, int channels, std::ptrdiff_t x_step,
           std::ptrdiff_t y_step, int num_frames) {
  for_each_row(x, y, channels, x_step, y_step, num_frames,
               [&](std::size_t c, int count, const float* in) {
                 const Vec v = load_part(in + c, count);
                 return select(v > zero(), v, load(slope + c) * v);
               });
}
void gate(bool tanh_gate, const float* x, float* y, int channels, std::ptrdiff_t offset,
          std::ptrdiff_t x_step, std::ptrdiff_t y_step, int num_frames) {
  for_each_row(x, y, channels, x_step, y_step, num_frames,
               [&](std::size_t c, int count, const float* in) {
                 const Vec a = load_part(in + c, count);
                 const Vec b = load_part(in + offset + c, count);
                 return tanh_gate ? math::gated_tanh(a, b) : a * math::sigmoid(b);
               });
}
void modulate(const float* x, float* y, int channels, std::ptrdiff_t x_step, std::ptrdiff_t y_step,
              int num_frames) {
  for_each_row(x, y, channels, x_step, y_step, num_frames,
               [&](std::size_t c, int count, const float* in) {
                 const float* shift = in + channels;
                 return fma(load_part(shift + channels + c, count), load_part(in + c, count),
                            load_part(shift + c, count));
               });
}

// Lane sums of the squares run by fma; the padding of the last vector adds zeros.
void layer_norm(const float* scale, const float* bias, float eps, const float* x, float* y,
                int channels, std::ptrdiff_t x_step, std::ptrdiff_t y_step, int num_frames) {
  const auto n = static_cast<std::size_t>(channels);
  const float count_of_channels = static_cast<float>(channels);
  for (int t = 0; t < num_frames; ++t, x += x_step, y += y_step) {
    Vec sum = zero();
    for_each(n, [&](std::size_t c, int count) { sum = sum + load_part(x + c, count); });
    const Vec mean(sum_lanes(sum) / count_of_channels);
    Vec squares = zero();
    for_each(n, [&](std::size_t c, int count) {
      Vec d = load_part(x + c, count) - mean;
      if (count != kLanes) d = select(first_lanes(count), d, zero());
      squares = fma(d, d, squares);
    });
    const float variance = sum_lanes(squares) / count_of_channels;
    const Vec inverse = Vec(1.0f) / sqrt(Vec(variance + eps));
    for_each(n, [&](std::size_t c, int count) {
      const Vec d = load_part(x + c, count) - mean;
      store_part(y + c, count, fma(d * inverse, load(scale + c), load(bias + c)));
    });
  }
}

void mean_subtract(float alpha, const float* x, float* mean, float* y, int channels) {
  const Vec rate(1.0f - alpha);
  for_each(static_cast<std::size_t>(channels), [&](std::size_t c, int count) {
    const Vec v = load_part(x + c, count);
    const Vec old = load_part(mean + c, count);
    const Vec m = fma(rate, v - old, old);
    store_part(mean + c, count, m);
    store_part(y + c, count, v - m);
  });
}

void complex_power(const float* re, const float* im, float* y, int bins) {
  for_each(static_cast<std::size_t>(bins), [&](std::size_t i, int count) {
    const Vec a = load_part(re + i, count), b = load_part(im + i, count);
    store_part(y + i, count, fma(a, a, b * b));
  });
}
void complex_compress(const float* re, const float* im, float* yre, float* yim, int bins,
                      float exponent, float eps) {
  const float power = (exponent - 1.0f) * 0.5f;
  const Vec floor(eps);
  for_each(static_cast<std::size_t>(bins), [&](std::size_t i, int count) {
    const Vec a = load_part(re + i, count), b = load_part(im + i, count);
    const Vec gain = math::power(fma(a, a, b * b) + floor, power);
    store_part(yre + i, count, a * gain);
    store_part(yim + i, count, b * gain);
  });
}
void deep_filter(const float* coefficients, const float* x, std::ptrdiff_t x_step,
                 std::ptrdiff_t x_im_offset, int taps, int bins, float* yre, float* yim) {
  for_each(static_cast<std::size_t>(bins), [&](std::size_t i, int count) {
    Vec re = zero(), im = zero();
    for (int tap = 0; tap < taps; ++tap) {
      const float* c = coefficients + static_cast<std::ptrdiff_t>(tap) * 2 * bins + i;
      const float* in = x + tap * x_step + i;
      const Vec cr = load_part(c, count), ci = load_part(c + bins, count);
      const Vec xr = load_part(in, count), xi = load_part(in + x_im_offset, count);
      re = fnma(ci, xi, fma(cr, xr, re));
      im = fma(ci, xr, fma(cr, xi, im));
    }
    store_part(yre + i, count, re);
    store_part(yim + i, count, im);
  });
}
