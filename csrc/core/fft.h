// Plans of the real FFT: tables only; cpu/ and cuda/ run them.
//
// The complex transform of length N = rows * columns runs in four steps: x is a matrix
// [rows][columns], x[n] = x[n / columns][n % columns]; (1) a transform of length `rows` down every
// column, (2) times exp(-2 pi i k1 n2 / N), (3) transposed, (4) a transform of length `columns`
// down every column. The result [columns][rows] is in natural order. Columns stand in lanes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/fft_plan.h"

namespace rtaudio {

class FftTables {
 public:
  explicit FftTables(int n) : n_(n) {
    const int length = n % 2 == 0 ? n / 2 : n;
    if (n < 2 || n > kMaxLength || factorize(length).product != length) {
      throw std::invalid_argument(
          "an FFT of " + std::to_string(n) + " points is not possible: the length must be 2 to " +
          std::to_string(kMaxLength) + " and a product of 2, 3, 5 and 7; choose such a length");
    }
    choose_shape(length);
    row_factors_ = factorize(rows_).factors;
    column_factors_ = factorize(columns_).factors;
    row_twiddles_ = stage_twiddles(rows_, row_factors_);
    column_twiddles_ = stage_twiddles(columns_, column_factors_);
    const int padded = padded_lanes(columns_);
    cross_.assign(static_cast<std::size_t>(2 * rows_ * padded), 0.0f);
    for (int k = 0; k < rows_; ++k) {
      for (int j = 0; j < columns_; ++j) {
        const std::int64_t turn = std::int64_t{k} * j;
        cross_[static_cast<std::size_t>(k * padded + j)] = cosine(turn, length);
        cross_[static_cast<std::size_t>((rows_ + k) * padded + j)] = -sine(turn, length);
      }
    }
    if (n % 2 == 0) {
      const int bins = padded_lanes(length + 1);
      split_.assign(static_cast<std::size_t>(2 * bins + 16), 0.0f);  // the last load may overrun
      for (int k = 0; k <= length; ++k) {
        split_[static_cast<std::size_t>(k)] = cosine(k, n);
        split_[static_cast<std::size_t>(bins + k)] = -sine(k, n);
      }
    }
  }

  FftPlan view() const {
    return view([](const auto& table) { return table.data(); });
  }
  // The same where the tables are elsewhere: where(table) says where.
  template <class Where>
  FftPlan view(const Where& where) const {
    return {n_,
            rows_ * columns_,
            rows_,
            columns_,
            static_cast<int>(row_factors_.size()),
            static_cast<int>(column_factors_.size()),
            where(row_factors_),
            where(column_factors_),
            where(row_twiddles_),
            where(column_twiddles_),
            where(cross_),
            split_.empty() ? nullptr : where(split_)};
  }

 private:
  static constexpr int kMaxLength = 1 << 20;

  struct Factors {
    std::vector<std::int32_t> factors;
    int product = 1;
  };
  static Factors factorize(int n) {
    Factors result;
    for (const int radix : {4, 2, 3, 5, 7}) {
      while (n % radix == 0) {
        n /= radix;
        result.factors.push_back(radix);
        result.product *= radix;
      }
    }
    return result;
  }
  static int padded_lanes(int n) { return (n + 15) / 16 * 16; }

  // The split with the fewest vectors to touch, counting the passes over each half.
  void choose_shape(int length) {
    std::int64_t best = -1;
    for (int rows = 1; rows <= length; ++rows) {
      if (length % rows != 0) continue;
      const int columns = length / rows;
      const auto passes = [](int n) {
        return 1 + static_cast<std::int64_t>(factorize(n).factors.size());
      };
      const std::int64_t cost = passes(rows) * rows * padded_lanes(columns) +
                                passes(columns) * columns * padded_lanes(rows) +
                                (rows % 16 == 0 ? 0 : length);
      if (std::max(rows, columns) > 8 * std::min(rows, columns) + 8) continue;
      if (best < 0 || cost < best) {
        best = cost;
        rows_ = rows;
        columns_ = columns;
      }
    }
  }

  static float cosine(std::int64_t turn, int n) {
    return static_cast<float>(std::cos(angle(turn, n)));
  }
  static float sine(std::int64_t turn, int n) {
    return static_cast<float>(std::sin(angle(turn, n)));
  }
  static double angle(std::int64_t turn, int n) {
    return 2.0 * std::numbers::pi * static_cast<double>(turn % n) / n;
  }

  // Stockham, decimation in frequency: for a stage that turns length m into m / r the factors
  // exp(-2 pi i p j / m) for p < m / r and 0 < j < r, as (re, im) pairs.
  static std::vector<float> stage_twiddles(int length, const std::vector<std::int32_t>& factors) {
    std::vector<float> table;
    int m = length;
    for (const int radix : factors) {
      for (int p = 0; p < m / radix; ++p) {
        for (int j = 1; j < radix; ++j) {
          table.push_back(cosine(std::int64_t{p} * j, m));
          table.push_back(-sine(std::int64_t{p} * j, m));
        }
      }
      m /= radix;
    }
    return table;
  }

  int n_;
  int rows_ = 1;
  int columns_ = 1;
  std::vector<std::int32_t> row_factors_, column_factors_;
  std::vector<float> row_twiddles_, column_twiddles_, cross_, split_;
};

inline FftTables make_fft_tables(int n) { return FftTables(n); }

}  // namespace rtaudio
