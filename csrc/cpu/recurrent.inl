// Gates of recurrent cells (core/cells.h), units in lanes.

void gru(const GruStep& s) {
  const std::ptrdiff_t stride = s.stride;
  for_each(static_cast<std::size_t>(s.hidden), [&](std::size_t i, int count) {
    const auto wx = [&](int gate) { return load_part(s.wx + i + gate * stride, count); };
    const auto uh = [&](int gate) { return load_part(s.uh + i + gate * stride, count); };
    store_part(s.state + i, count, math::gru_cell(wx, uh, load_part(s.state + i, count)));
  });
}

void lstm(const LstmStep& s) {
  const std::ptrdiff_t stride = s.stride;
  for_each(static_cast<std::size_t>(s.hidden), [&](std::size_t i, int count) {
    const auto wx = [&](int gate) { return load_part(s.wx + i + gate * stride, count); };
    const auto uh = [&](int gate) { return load_part(s.uh + i + gate * stride, count); };
    const auto now = math::lstm_cell(wx, uh, load_part(s.cell_state + i, count));
    store_part(s.cell_state + i, count, now.c);
    store_part(s.hidden_state + i, count, now.h);
  });
}
