#include "cpu/pack.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/bf16.h"

namespace rtaudio {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

// Whole pages of 2 MiB, given away from front to back.
class LargePages {
 public:
  explicit LargePages(std::size_t bytes)
      : bytes_((bytes + kPage - 1) / kPage * kPage),
        memory_(static_cast<char*>(::operator new[](bytes_, std::align_val_t{kPage}))) {
#if defined(__linux__)
    madvise(memory_.get(), bytes_, MADV_HUGEPAGE);  // a wish; small pages do as well
#endif
    std::fill_n(memory_.get(), bytes_, '\0');
  }

  std::size_t left() const { return bytes_ - used_; }
  float* take(std::size_t bytes) {
    auto* const p = reinterpret_cast<float*>(memory_.get() + used_);
    used_ += bytes;
    return p;
  }

 private:
  static constexpr std::size_t kPage = std::size_t{1} << 21;
  struct Delete {
    void operator()(char* p) const { ::operator delete[](p, std::align_val_t{kPage}); }
  };
  std::size_t bytes_;
  std::size_t used_ = 0;
  std::unique_ptr<char[], Delete> memory_;
};

// How many weights of one row stand side by side.
std::size_t group_of(WeightFormat format) {
  return format == WeightFormat::bf16dot ? 2 : format == WeightFormat::int8 ? 4 : 1;
}

WeightFormat fitting(WeightFormat wanted, int outputs, int depth) {
  const bool dot = wanted == WeightFormat::bf16dot || wanted == WeightFormat::int8;
  return dot && (outputs < 16 || depth < 16 || depth > kMaxDotDepth) ? WeightFormat::fp32 : wanted;
}

// The panels of kernels.h, `widest` outputs while there are as many: at(row, k) is one weight.
template <class T, class F>
void fill_panels(T* to, std::size_t rows, std::size_t columns, std::size_t group, const F& at,
                 std::size_t widest = 64) {
  const std::size_t padded = (rows + 15) / 16 * 16, groups = (columns + group - 1) / group;
  std::size_t width = 0;
  for (std::size_t panel = 0; panel < padded; panel += width) {
    const std::size_t left = padded - panel;
    width = left >= widest ? widest : std::min<std::size_t>(64, left);
    T* out = to + panel * groups * group;
    for (std::size_t row = panel; row < std::min(panel + width, rows); ++row) {
      for (std::size_t k = 0; k < columns; ++k) {
        out[(k / group * width + (row - panel)) * group + k % group] = at(row, k);
      }
    }
  }
}

// An input that hardly moved on the calibration run must not be cut off when it does.
std::vector<float> usable_ranges(const float* ranges, std::size_t count) {
  const float largest = *std::max_element(ranges, ranges + count);
  std::vector<float> usable(ranges, ranges + count);
  for (float& range : usable) range = largest > 0.0f ? std::fmax(range, largest / 256.0f) : 1.0f;
  return usable;
}

}  // namespace

SharedFloats make_weight_floats(std::size_t n) {
  const std::size_t bytes = (n * sizeof(float) + 63) / 64 * 64;
  // A sanitizer sees reads beyond a matrix only if each is by itself.
  if (kSanitized) return {make_aligned_floats(n).release(), AlignedDelete()};
  static thread_local std::weak_ptr<LargePages> latest;
  std::shared_ptr<LargePages> pages = latest.lock();
  if (pages == nullptr || pages->left() < bytes) {
    pages = std::make_shared<LargePages>(bytes);
    latest = pages;
  }
  return {pages, pages->take(bytes)};
}

AlignedFloats make_aligned_floats(std::size_t n) {
  auto* p = static_cast<float*>(::operator new[](n * sizeof(float), std::align_val_t{64}));
  std::fill_n(p, n, 0.0f);
  return AlignedFloats(p);
}

PackedWeights pack_matrix(const float* weights, int outputs, int depth, const float* bias,
                          const MatrixFormat& wanted) {
  if (outputs < 1 || depth < 1) {
    throw std::invalid_argument("a matrix of " + std::to_string(outputs) + " outputs and depth " +
                                std::to_string(depth) + " cannot be packed: both must be >= 1");
  }
  const auto rows = static_cast<std::size_t>(outputs), columns = static_cast<std::size_t>(depth);
  const std::size_t padded = (rows + 15) / 16 * 16;
  const WeightFormat format = fitting(wanted.format, outputs, depth);
  // One load then serves two k, and each costs one operation to widen instead of two.
  const bool in_pairs = format == WeightFormat::bf16 && num_splits(outputs, depth) == 1 &&
                        wanted.num_inputs > 0 && wanted.num_inputs % 2 == 0;
  const bool in_wide_panels = in_pairs && wanted.wide_panels;
  const std::size_t group = in_pairs ? 2 : group_of(format);
  const std::size_t bytes = format == WeightFormat::fp32 ? 4 : format == WeightFormat::int8 ? 1 : 2;
  const std::size_t weight_floats = padded * ((columns + group - 1) / group * group) * bytes / 4;
  const bool is_int8 = format == WeightFormat::int8;
  const std::size_t num_constants =
      padded +
      (is_int8 ? 2 * padded + static_cast<std::size_t>(wanted.num_inputs + 15) / 16 * 16 : 0);
  SharedFloats storage = make_weight_floats(weight_floats);
  SharedFloats constants(make_aligned_floats(num_constants).release(), AlignedDelete());
  float* bias_out = constants.get();
  if (bias != nullptr) std::copy_n(bias, rows, bias_out);
  const auto weight = [&](std::size_t row, std::size_t k) { return weights[row * columns + k]; };

  PackedMatrix matrix{outputs, depth, num_splits(outputs, depth), nullptr, bias_out, format};
  matrix.largest_inputs = wanted.largest_inputs;
  if (format == WeightFormat::fp32) {
    fill_panels(storage.get(), rows, columns, group, weight);
    matrix.weights = storage.get();
    return {std::move(storage), weight_floats, std::move(constants), num_constants, matrix};
  }
  matrix.narrow = storage.get();
  matrix.in_pairs = in_pairs;
  matrix.in_wide_panels = in_wide_panels;
  matrix.input_scales = bias_out;  // bf16dot reads none, but its kernel steps along them
  if (format != WeightFormat::int8) {
    fill_panels(
        reinterpret_cast<std::uint16_t*>(storage.get()), rows, columns, group,
        [&](std::size_t row, std::size_t k) { return to_bf16(weight(row, k)); },
        in_wide_panels ? 128 : 64);
    return {std::move(storage), weight_floats, std::move(constants), num_constants, matrix};
  }
  // The inputs' scales go into the weights, so that one sum of whole numbers serves all of them.
  const auto num_inputs = static_cast<std::size_t>(wanted.num_inputs);
  const std::vector<float> ranges = usable_ranges(wanted.input_ranges, num_inputs);
  float* scales = bias_out + padded;
  auto* sums = reinterpret_cast<std::int32_t*>(scales + padded);
  float* input_scales = scales + 2 * padded;
  for (std::size_t c = 0; c < num_inputs; ++c) input_scales[c] = 127.0f / ranges[c];
  const auto scaled = [&](std::size_t row, std::size_t k) {
    return weight(row, k) * ranges[k % num_inputs];
  };
  for (std::size_t row = 0; row < rows; ++row) {
    float largest = 0.0f;
    for (std::size_t k = 0; k < columns; ++k) {
      const float size = std::fabs(scaled(row, k));
      if (!std::isfinite(size)) {
        throw std::invalid_argument(
            "a weight times the range of its input is not finite, which int8 cannot hold; use "
            "bf16");
      }
      largest = std::fmax(largest, size);
    }
    scales[row] = largest / 127.0f;
  }
  fill_panels(reinterpret_cast<std::int8_t*>(storage.get()), rows, columns, group,
              [&](std::size_t row, std::size_t k) {
                const float ratio = scales[row] > 0.0f ? scaled(row, k) / scales[row] : 0.0f;
                const auto whole =
                    static_cast<std::int8_t>(std::clamp(std::nearbyint(ratio), -127.0f, 127.0f));
                sums[row] += whole;
                return whole;
              });
  for (std::size_t row = 0; row < rows; ++row) scales[row] /= 127.0f;
  matrix.input_scales = input_scales;
  matrix.scales = scales;
  matrix.sums = sums;
  return {std::move(storage), weight_floats, std::move(constants), num_constants, matrix};
}

}  // namespace rtaudio
