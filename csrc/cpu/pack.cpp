#include "cpu/pack.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace rtaudio {

AlignedFloats make_aligned_floats(std::size_t n) {
  auto* p = static_cast<float*>(::operator new[](n * sizeof(float), std::align_val_t{64}));
  std::fill_n(p, n, 0.0f);
  return AlignedFloats(p);
}

PackedWeights pack_matrix(const float* weights, int outputs, int depth, const float* bias) {
  if (outputs < 1 || depth < 1) {
    throw std::invalid_argument("a matrix of " + std::to_string(outputs) + " outputs and depth " +
                                std::to_string(depth) + " cannot be packed: both must be >= 1");
  }
  const auto rows = static_cast<std::size_t>(outputs), columns = static_cast<std::size_t>(depth);
  const std::size_t padded = (rows + 15) / 16 * 16;
  const std::size_t num_floats = padded * columns + padded;
  AlignedFloats storage = make_aligned_floats(num_floats);
  float* bias_out = storage.get() + padded * columns;
  if (bias != nullptr) std::copy_n(bias, rows, bias_out);
  for (std::size_t panel = 0; panel < padded; panel += 64) {
    const std::size_t width = std::min<std::size_t>(64, padded - panel);
    float* out = storage.get() + panel * columns;
    for (std::size_t row = panel; row < std::min(panel + width, rows); ++row) {
      for (std::size_t k = 0; k < columns; ++k) {
        out[k * width + (row - panel)] = weights[row * columns + k];
      }
    }
  }
  const PackedMatrix matrix{outputs, depth, num_splits(outputs, depth), storage.get(), bias_out};
  return PackedWeights(std::move(storage), matrix, num_floats);
}

}  // namespace rtaudio
