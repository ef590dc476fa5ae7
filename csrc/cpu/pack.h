// Packing of matrices for the kernels (the layout is in kernels.h).
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "cpu/kernels.h"

namespace rtaudio {

struct AlignedDelete {
  void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
};
using AlignedFloats = std::unique_ptr<float[], AlignedDelete>;
AlignedFloats make_aligned_floats(std::size_t n);  // zeros, 64-byte aligned

// The number of partial sums of a row; part of the numerics, so fixed by shape alone.
constexpr int num_splits(int outputs, int depth) {
  if (depth < 32 || outputs > 32) return 1;
  return outputs > 16 ? 2 : 4;
}

class PackedWeights {
 public:
  PackedWeights(AlignedFloats storage, PackedMatrix matrix, std::size_t num_floats)
      : storage_(std::move(storage)), matrix_(matrix), num_floats_(num_floats) {}
  const PackedMatrix& view() const { return matrix_; }
  std::size_t num_floats() const { return num_floats_; }

 private:
  AlignedFloats storage_;
  PackedMatrix matrix_;
  std::size_t num_floats_;
};

// weights: [outputs][depth], bias: [outputs] or null. Throws std::invalid_argument for a size
// below 1.
PackedWeights pack_matrix(const float* weights, int outputs, int depth, const float* bias);

}  // namespace rtaudio
