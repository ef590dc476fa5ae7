// Steps of recurrent cells, torch's equations (torch.nn.GRU, torch.nn.LSTM), over float or a vector
// of cpu/simd.h. wx and uh give W x and U h of a gate by its number.
#pragma once

#include "core/vecmath.h"

namespace rtaudio::math {

// Gates r, z, n.
template <class V, class Wx, class Uh>
RTA_HD V gru_cell(const Wx& wx, const Uh& uh, V h) {
  const V r = sigmoid(wx(0) + uh(0));
  const V z = sigmoid(wx(1) + uh(1));
  const V n = tanh(fma(r, uh(2), wx(2)));
  return fma(z, h - n, n);
}

// Gates i, f, g, o.
template <class V>
struct LstmState {
  V h, c;
};
template <class V, class Wx, class Uh>
RTA_HD LstmState<V> lstm_cell(const Wx& wx, const Uh& uh, V c) {
  const auto sum = [&](int gate) { return wx(gate) + uh(gate); };
  const V input = sigmoid(sum(0)), forget = sigmoid(sum(1));
  const V cell = tanh(sum(2)), output = sigmoid(sum(3));
  c = fma(forget, c, input * cell);
  return {output * tanh(c), c};
}

}  // namespace rtaudio::math
