// Gates of recurrent cells, torch's equations (torch.nn.GRU, torch.nn.LSTM).

void gru(const GruStep& s) {
  const std::ptrdiff_t stride = s.stride;
  for_each(static_cast<std::size_t>(s.hidden), [&](std::size_t i, int count) {
    const float* wx = s.wx + i;
    const float* uh = s.uh + i;
    const auto at = [&](const float* p, int gate) { return load_part(p + gate * stride, count); };
    const Vec r = math::sigmoid(at(wx, 0) + at(uh, 0));
    const Vec z = math::sigmoid(at(wx, 1) + at(uh, 1));
    const Vec n = math::tanh(fma(r, at(uh, 2), at(wx, 2)));
    const Vec h = load_part(s.state + i, count);
    store_part(s.state + i, count, fma(z, h - n, n));
  });
}

void lstm(const LstmStep& s) {
  const std::ptrdiff_t stride = s.stride;
  for_each(static_cast<std::size_t>(s.hidden), [&](std::size_t i, int count) {
    const float* wx = s.wx + i;
    const float* uh = s.uh + i;
    const auto sum = [&](int gate) {
      return load_part(wx + gate * stride, count) + load_part(uh + gate * stride, count);
    };
    const Vec input = math::sigmoid(sum(0)), forget = math::sigmoid(sum(1));
    const Vec cell = math::tanh(sum(2)), output = math::sigmoid(sum(3));
    const Vec c = fma(forget, load_part(s.cell_state + i, count), input * cell);
    store_part(s.cell_state + i, count, c);
    store_part(s.hidden_state + i, count, output * math::tanh(c));
  });
}
