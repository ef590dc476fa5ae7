#pragma once

#include <cstdint>

namespace rtaudio {

// A real FFT plan of n points; core/fft.h builds the tables and says what the shape means.
struct FftPlan {
  int n;
  int complex_length;  // n / 2 if n is even, else n; = rows * columns
  int rows, columns;
  int num_row_factors, num_column_factors;
  const std::int32_t* row_factors;
  const std::int32_t* column_factors;
  const float* row_twiddles;
  const float* column_twiddles;
  const float* cross;  // [re, im][rows][round_up(columns, 16)]
  const float* split;  // [re, im][round_up(n / 2 + 1, 16)] if n is even, else null
};

}  // namespace rtaudio
