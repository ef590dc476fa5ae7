// Running norms and attention over the frames so far.

// The padding of the last vector adds zeros, as in layer_norm.
void moments(const float* x, int channels, float* mean, float* variance) {
  const auto n = static_cast<std::size_t>(channels);
  Vec sum = zero();
  for_each(n, [&](std::size_t c, int count) { sum = sum + load_part(x + c, count); });
  const Vec middle(sum_lanes(sum) / static_cast<float>(channels));
  Vec squares = zero();
  for_each(n, [&](std::size_t c, int count) {
    Vec d = load_part(x + c, count) - middle;
    if (count != kLanes) d = select(first_lanes(count), d, zero());
    squares = fma(d, d, squares);
  });
  *mean = sum_lanes(sum) / static_cast<float>(channels);
  *variance = sum_lanes(squares) / static_cast<float>(channels);
}

void normalize(const float* scale, const float* bias, float mean, float variance, const float* x,
               float* y, int channels) {
  const Vec middle(mean), inverse = Vec(1.0f) / sqrt(Vec(variance));
  for_each(static_cast<std::size_t>(channels), [&](std::size_t c, int count) {
    const Vec d = load_part(x + c, count) - middle;
    store_part(y + c, count, fma(d * inverse, load(scale + c), load(bias + c)));
  });
}

void running_norm(const RunningNorm& s, const float* x, float* y) {
  const Vec rate(s.rate), eps(s.eps), one(1.0f);
  for_each(static_cast<std::size_t>(s.channels), [&](std::size_t c, int count) {
    const Vec v = load_part(x + c, count);
    Vec mean = load_part(s.mean + c, count), variance = load_part(s.variance + c, count);
    const Vec after = math::take_in(v, rate, mean, variance);
    store_part(s.mean + c, count, mean);
    store_part(s.variance + c, count, variance);
    const Vec inverse = one / sqrt(max(zero(), variance) + eps);
    store_part(y + c, count, fma(after * inverse, load(s.scale + c), load(s.bias + c)));
  });
}

RTA_HD float dot(const float* a, const float* b, int n) {
  Vec sum = zero();
  for_each(static_cast<std::size_t>(n), [&](std::size_t i, int count) {
    sum = fma(load_part(a + i, count), load_part(b + i, count), sum);
  });
  return sum_lanes(sum);
}

void attention(const Attention& s, const float* query, float* y, float* scores) {
  const auto key_of = [&](int j) {
    const int slot = s.oldest + j;
    return static_cast<std::ptrdiff_t>(slot < s.slots ? slot : slot - s.slots) * s.row;
  };
  const auto n = static_cast<std::size_t>(s.frames);
  for (int head = 0; head < s.heads; ++head) {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(head) * s.channels;
    float most = 0.0f;
    for (int j = 0; j < s.frames; ++j) {
      scores[j] = s.scale * dot(query + at, s.keys + key_of(j) + at, s.channels);
      if (j == 0 || scores[j] > most) most = scores[j];
    }
    Vec total = zero();
    for_each(n, [&](std::size_t j, int count) {
      Vec weight = math::exp(load_part(scores + j, count) - Vec(most));
      if (count != kLanes) weight = select(first_lanes(count), weight, zero());
      total = total + weight;
      store_part(scores + j, count, weight);
    });
    const Vec inverse(1.0f / sum_lanes(total));
    for_each(static_cast<std::size_t>(s.channels), [&](std::size_t c, int count) {
      Vec sum = zero();
      for (int j = 0; j < s.frames; ++j) {
        sum = fma(Vec(scores[j]), load_part(s.values + key_of(j) + at + c, count), sum);
      }
      store_part(y + at + c, count, sum * inverse);
    });
  }
}
