// Packing of matrices for the kernels (the layout is in kernels.h).
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "core/sum_tree.h"
#include "cpu/kernels.h"

namespace rtaudio {

struct AlignedDelete {
  void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
};
using AlignedFloats = std::unique_ptr<float[], AlignedDelete>;
AlignedFloats make_aligned_floats(std::size_t n);  // zeros, 64-byte aligned

// The same for what is read over and over, one after the other in large pages: matrices that follow
// one another in a network then come in as one stream, without a search for each small page.
using SharedFloats = std::shared_ptr<float>;
SharedFloats make_weight_floats(std::size_t n);

// How a matrix is stored. k and k + num_inputs are the same input at two taps (0: not known; bf16
// is slower then). int8 needs the largest |x| of each input, found on a calibration run;
// `largest_inputs`: where such a run notes it.
struct MatrixFormat {
  WeightFormat format = WeightFormat::fp32;
  const float* input_ranges = nullptr;
  int num_inputs = 0;
  float* largest_inputs = nullptr;
  bool wide_panels = false;  // for bf16
};

class PackedWeights {
 public:
  // `constants`: the bias and whatever follows it.
  PackedWeights(SharedFloats weights, std::size_t num_weights, SharedFloats constants,
                std::size_t num_constants, PackedMatrix matrix)
      : weights_(std::move(weights)),
        constants_(std::move(constants)),
        matrix_(matrix),
        num_weights_(num_weights),
        num_constants_(num_constants) {}
  const PackedMatrix& view() const { return matrix_; }
  std::size_t num_weights() const { return num_weights_; }  // in floats
  std::size_t num_constants() const { return num_constants_; }
  std::size_t num_floats() const { return num_weights_ + num_constants_; }

 private:
  SharedFloats weights_;
  SharedFloats constants_;  // elsewhere: between weights they would break the stream
  PackedMatrix matrix_;
  std::size_t num_weights_;
  std::size_t num_constants_;
};

// weights: [outputs][depth], bias: [outputs] or null. Matrices of less than 16 outputs or inputs,
// or deeper than kMaxDotDepth, stay fp32 where bf16dot or int8 is asked for. Throws
// std::invalid_argument for a size below 1.
PackedWeights pack_matrix(const float* weights, int outputs, int depth, const float* bias,
                          const MatrixFormat& format = {});

}  // namespace rtaudio
