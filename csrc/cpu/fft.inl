// Real FFT by the plan of core/fft.h. Split complex numbers, transforms stand in lanes.

using Complex = fft::Complex<Vec>;

struct Span {  // two arrays, real and imaginary
  float* re;
  float* im;
};
RTA_HD Complex load(Span s, std::ptrdiff_t i) { return {load(s.re + i), load(s.im + i)}; }
RTA_HD void store(Span s, std::ptrdiff_t i, Complex a) {
  store(s.re + i, a.re);
  store(s.im + i, a.im);
}

// One stage over rows of `width` floats: sub-length m, s interleaved transforms.
template <int R>
void stage(Span x, Span y, int m, int s, std::ptrdiff_t width, const float* twiddles) {
  const int parts = m / R;
  const std::ptrdiff_t apart = static_cast<std::ptrdiff_t>(s) * parts * width;
  for (int p = 0; p < parts; ++p, twiddles += 2 * (R - 1)) {
    Vec re[R], im[R];
    for (int j = 1; j < R; ++j) {
      re[j] = Vec(twiddles[2 * j - 2]);
      im[j] = Vec(twiddles[2 * j - 1]);
    }
    const std::ptrdiff_t from = static_cast<std::ptrdiff_t>(s) * p * width;
    const std::ptrdiff_t to = from * R;
    const std::ptrdiff_t out_apart = s * width;
    for (std::ptrdiff_t q = 0; q < s * width; q += kLanes) {
      Complex a[R];
      for (int j = 0; j < R; ++j) a[j] = load(x, from + j * apart + q);
      fft::butterfly(a);
      store(y, to + q, a[0]);
      for (int j = 1; j < R; ++j) {
        store(y, to + j * out_apart + q, p == 0 ? a[j] : fft::times(a[j], re[j], im[j]));
      }
    }
  }
}

// Transforms of length m down the columns of x; y is work space. Returns where the result lies.
Span transform(Span x, Span y, int m, std::ptrdiff_t width, const std::int32_t* factors,
               int num_factors, const float* twiddles) {
  int s = 1;
  for (int i = 0; i < num_factors; ++i) {
    switch (factors[i]) {
      case 2:
        stage<2>(x, y, m, s, width, twiddles);
        break;
      case 3:
        stage<3>(x, y, m, s, width, twiddles);
        break;
      case 4:
        stage<4>(x, y, m, s, width, twiddles);
        break;
      case 5:
        stage<5>(x, y, m, s, width, twiddles);
        break;
      default:
        stage<7>(x, y, m, s, width, twiddles);
        break;
    }
    twiddles += 2 * (factors[i] - 1) * (m / factors[i]);
    s *= factors[i];
    m /= factors[i];
    const Span previous = x;
    x = y;
    y = previous;
  }
  return x;
}

// Steps 2 and 3 of the plan: times the cross factors, then transposed.
void twist(const FftPlan& plan, Span x, Span y) {
  const std::ptrdiff_t width = padded(plan.columns), out_width = padded(plan.rows);
  const float* re = plan.cross;
  const float* im = plan.cross + plan.rows * width;
  for (std::ptrdiff_t i = width; i < plan.rows * width; i += kLanes) {
    store(x, i, fft::times(load(x, i), load(re + i), load(im + i)));
  }
  for (int r = 0; r < plan.rows; r += 4) {
    for (int c = 0; c < plan.columns; c += 4) {
      transpose4x4(x.re + r * width + c, width, y.re + c * out_width + r, out_width);
      transpose4x4(x.im + r * width + c, width, y.im + c * out_width + r, out_width);
    }
  }
}

// The two work spaces inside the scratch. A margin lies in front of each array, because the
// spectrum is also read backwards, and room for four more rows behind, because blocks of four
// rows are transposed.
struct Work {
  Span a, b;
};
RTA_HD Work work_space(const FftPlan& plan, float* scratch) {
  const std::ptrdiff_t first = padded(plan.rows, 4) * padded(plan.columns);
  const std::ptrdiff_t second = padded(plan.columns, 4) * padded(plan.rows);
  const std::ptrdiff_t needed = (first > second ? first : second) + 2 * kLanes;
  // A quarter of a 4 KB page and a line beyond a multiple of it: arrays that share their low
  // address bits make loads wait for unrelated stores.
  const std::ptrdiff_t size = padded(needed - 272, 1024) + 272;
  float* p = scratch + kLanes;
  return {{p, p + size}, {p + 2 * size, p + 3 * size}};
}

// All four steps; x holds the padded rows. The result is contiguous.
Span complex_fft(const FftPlan& plan, Span x, Span y) {
  const std::ptrdiff_t width = padded(plan.columns), out_width = padded(plan.rows);
  const Span first =
      transform(x, y, plan.rows, width, plan.row_factors, plan.num_row_factors, plan.row_twiddles);
  const Span other = first.re == x.re ? y : x;
  twist(plan, first, other);
  const Span z = transform(other, first, plan.columns, out_width, plan.column_factors,
                           plan.num_column_factors, plan.column_twiddles);
  if (out_width != plan.rows) {
    for (int r = 1; r < plan.columns; ++r) {
      for (int c = 0; c < plan.rows; c += kLanes) {
        store(z, r * plan.rows + c, load(z, r * out_width + c));
      }
    }
  }
  return z;
}

void split_spectrum(const FftPlan& plan, Span z, float* re, float* im) {
  const int length = plan.complex_length;
  const int bins = length + 1;
  z.re[length] = z.re[0];
  z.im[length] = z.im[0];
  const float* cosines = plan.split;
  const float* sines = plan.split + padded(bins);
  for_each(static_cast<std::size_t>(bins), [&](std::size_t k, int count) {
    const Complex a = load(z, static_cast<std::ptrdiff_t>(k));
    const std::ptrdiff_t back = length - static_cast<std::ptrdiff_t>(k) - (kLanes - 1);
    const Complex b{reverse(load(z.re + back)), reverse(load(z.im + back))};
    const Complex x = fft::split(a, b, load(cosines + k), load(sines + k));
    store_part(re + k, count, x.re);
    store_part(im + k, count, x.im);
  });
}

void rfft(const FftPlan& plan, const float* in, float* re, float* im, float* scratch) {
  const Work work = work_space(plan, scratch);
  const std::ptrdiff_t width = padded(plan.columns);
  const auto columns = static_cast<std::size_t>(plan.columns);
  const bool even = plan.split != nullptr;
  for (int r = 0; r < plan.rows; ++r) {
    for_each(columns, [&](std::size_t c, int count) {
      const std::size_t index = static_cast<std::size_t>(r) * columns + c;
      const float* from = in + (even ? 2 : 1) * index;
      Complex z{zero(), zero()};
      if (even) {
        const Vec low = load_part(from, 2 * count < kLanes ? 2 * count : kLanes);
        const Vec high = 2 * count > kLanes ? load_part(from + kLanes, 2 * count - kLanes) : zero();
        deinterleave(low, high, z.re, z.im);
      } else {
        z.re = load_part(from, count);
      }
      store(work.a, r * width + static_cast<std::ptrdiff_t>(c), z);
    });
  }
  const Span z = complex_fft(plan, work.a, work.b);
  if (even) {
    split_spectrum(plan, z, re, im);
    return;
  }
  for_each(static_cast<std::size_t>(plan.n / 2 + 1), [&](std::size_t k, int count) {
    store_part(re + k, count, load(z.re + k));
    store_part(im + k, count, load(z.im + k));
  });
}

// The inverse transform is the forward one with real and imaginary parts exchanged.
void irfft(const FftPlan& plan, const float* re, const float* im, float* out, float* scratch) {
  const Work work = work_space(plan, scratch);
  const int length = plan.complex_length;
  const std::ptrdiff_t width = padded(plan.columns);
  const bool even = plan.split != nullptr;
  const int bins = plan.n / 2 + 1;
  const Span x = work.b;
  for_each(static_cast<std::size_t>(bins), [&](std::size_t k, int count) {
    store(x, static_cast<std::ptrdiff_t>(k), {load_part(re + k, count), load_part(im + k, count)});
  });
  // A real signal has real end bins; what a network put there is dropped, as in torch and numpy.
  x.im[0] = 0.0f;
  if (even) x.im[length] = 0.0f;

  const Span z = work.a;
  if (even) {
    const float* cosines = plan.split;
    const float* sines = plan.split + padded(bins);
    for (int r = 0; r < plan.rows; ++r) {
      for (std::ptrdiff_t c = 0; c < plan.columns; c += kLanes) {
        const std::ptrdiff_t k = static_cast<std::ptrdiff_t>(r) * plan.columns + c;
        const Complex a = load(x, k);
        const std::ptrdiff_t back = length - k - (kLanes - 1);
        const Complex b{reverse(load(x.re + back)), reverse(load(x.im + back))};
        store(z, r * width + c, fft::merge(a, b, load(cosines + k), load(sines + k)));
      }
    }
  } else {
    for (int k = 0; k < bins; ++k) {
      const int mirror = length - k;
      z.re[k / plan.columns * width + k % plan.columns] = x.re[k];
      z.im[k / plan.columns * width + k % plan.columns] = x.im[k];
      if (k == 0) continue;
      z.re[mirror / plan.columns * width + mirror % plan.columns] = x.re[k];
      z.im[mirror / plan.columns * width + mirror % plan.columns] = -x.im[k];
    }
  }
  const Span y = complex_fft(plan, {z.im, z.re}, {x.im, x.re});
  if (!even) {
    for_each(static_cast<std::size_t>(plan.n),
             [&](std::size_t i, int count) { store_part(out + i, count, load(y.im + i)); });
    return;
  }
  for_each(static_cast<std::size_t>(length), [&](std::size_t i, int count) {
    Vec low, high;
    interleave(load(y.im + i), load(y.re + i), low, high);
    store_part(out + 2 * i, 2 * count < kLanes ? 2 * count : kLanes, low);
    if (2 * count > kLanes) store_part(out + 2 * i + kLanes, 2 * count - kLanes, high);
  });
}
