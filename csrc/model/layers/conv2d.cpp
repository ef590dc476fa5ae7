// Convolution of maps: a frame is a map [band][channel], the kernel spans frames and bands.
#include <algorithm>
#include <vector>

#include "cpu/pack.h"
#include "model/layer.h"
#include "model/window.h"

namespace rtaudio {
namespace {

constexpr int kMaxSize = 1 << 16;
constexpr std::int64_t kMaxScratch = 1 << 24;

// Every number of the layer, checked. `transposed` is over bands alone: over time a transposed
// convolution of stride 1 is a convolution with the kernel turned round, which the packer did.
struct Shape {
  explicit Shape(const LayerContext& context)
      : bands(context.integer("bands", 1, kMaxSize)),
        out_bands(context.integer("out_bands", 1, kMaxSize)),
        kernel_frames(context.integer("kernel_frames", 1, kMaxSize)),
        kernel_bands(context.integer("kernel_bands", 1, kMaxSize)),
        stride_bands(context.integer("stride_bands", 1, kMaxSize)),
        dilation_frames(context.integer("dilation_frames", 1, kMaxSize)),
        dilation_bands(context.integer("dilation_bands", 1, kMaxSize)),
        padding_bands(context.integer("padding_bands", 0, kMaxSize)),
        groups(context.integer("groups", 1, kMaxSize)),
        transposed(context.integer("transposed", 0, 1) != 0) {
    context.require_inputs(1);
    context.require(context.input().channels % bands == 0, "has channels that are no whole bands");
    context.require(context.output().channels % out_bands == 0, "writes no whole bands");
    inputs = context.input().channels / bands;
    outputs = context.output().channels / out_bands;
    context.require(inputs % groups == 0 && outputs % groups == 0,
                    "has channels that do not split into its groups");
    context.require(std::int64_t{kernel_frames - 1} * dilation_frames < 1 << 20,
                    "has a receptive field that is too long");
    context.require(!transposed || (dilation_bands == 1 && kernel_bands >= stride_bands),
                    "has bands that no tap reaches");
  }

  int bands, out_bands;
  int kernel_frames, kernel_bands, stride_bands, dilation_frames, dilation_bands, padding_bands;
  int groups;
  bool transposed;
  int inputs = 0, outputs = 0;  // channels of one band
};

// The output bands first, first + step, ... that lie alike over the input: one matrix, applied to
// rows of `taps` input bands. A convolution has one phase, a transposed one `stride_bands`.
struct Phase {
  int out_first, out_step, count;
  std::int64_t in_first;  // input band of the first tap of the first output; may be negative
  int in_step;            // input bands from one output to the next
  int tap_step;           // and from one tap to the next
  std::vector<int> taps;  // the kernel's bands, in rising order of the input band
};

std::vector<Phase> make_phases(const Shape& s) {
  std::vector<Phase> phases;
  if (!s.transposed) {
    Phase phase{0, 1, s.out_bands, -s.padding_bands, s.stride_bands, s.dilation_bands, {}};
    for (int k = 0; k < s.kernel_bands; ++k) phase.taps.push_back(k);
    phases.push_back(std::move(phase));
    return phases;
  }
  // y[o] = sum of w[k] x[(o + padding - k) / stride] over the k that divide.
  for (int first = 0; first < std::min(s.stride_bands, s.out_bands); ++first) {
    Phase phase{
        first, s.stride_bands, (s.out_bands - first + s.stride_bands - 1) / s.stride_bands, 0, 1, 1,
        {}};
    for (int k = (first + s.padding_bands) % s.stride_bands; k < s.kernel_bands;
         k += s.stride_bands) {
      phase.taps.push_back(k);
    }
    std::reverse(phase.taps.begin(), phase.taps.end());
    phase.in_first = (std::int64_t{first} + s.padding_bands - phase.taps[0]) / s.stride_bands;
    phases.push_back(std::move(phase));
  }
  return phases;
}

class Conv2d final : public WindowLayer {
 public:
  explicit Conv2d(const LayerContext& context)
      : shape_(context),
        window_(context, (shape_.kernel_frames - 1) * shape_.dilation_frames + 1,
                context.integer("stride", 1, 1 << 20)),
        phases_(make_phases(shape_)) {
    const Shape& s = shape_;
    const float* weight =
        context.tensor("weight", {s.outputs, s.inputs / s.groups, s.kernel_frames, s.kernel_bands});
    const float* bias = context.optional_tensor("bias", {s.outputs});
    std::int64_t last = s.bands - 1;
    for (const Phase& p : phases_) {
      first_band_ = std::min(first_band_, p.in_first);
      last = std::max(last, p.in_first + std::int64_t{p.count - 1} * p.in_step +
                                (static_cast<std::int64_t>(p.taps.size()) - 1) * p.tap_step);
      most_outputs_ = std::max(most_outputs_, p.count);
    }
    context.require(last - first_band_ < kMaxScratch, "is too large");
    depthwise_ =
        s.groups > 1 && s.groups == s.inputs && s.groups == s.outputs && s.dilation_bands == 1;
    bundle_ = depthwise_ ? s.groups : groups_in_a_bundle();
    const std::int64_t patch = (last - first_band_ + 1) * s.kernel_frames * bundle_inputs() + 16;
    context.require(
        patch <= kMaxScratch && std::int64_t{most_outputs_} * staged_row() + 16 <= kMaxScratch,
        "is too large");
    zeros_.resize(static_cast<std::size_t>(bundle_inputs()));
    padded_bands_ = static_cast<int>(last - first_band_ + 1);
    patch_floats_ = (static_cast<std::size_t>(patch) + 15) / 16 * 16;
    for (const Phase& phase : phases_) {
      for (int g = 0; g < s.groups; g += bundle_) pack(phase, g, weight, bias);
    }
  }

  std::size_t scratch_floats(int) const override {
    return patch_floats_ + static_cast<std::size_t>(most_outputs_ * staged_row()) + 16;
  }

  void process(const Call& call) const noexcept RTA_NONBLOCKING override {
    const float* first = window_.append(call);
    const int num_out = call.num_frames / window_.stride();
    const std::ptrdiff_t out_row = row_floats(shape_.out_bands * shape_.outputs);
    for (int t = 0; t < num_out; ++t) {
      const float* rows = first + std::ptrdiff_t{t} * window_.stride() * window_.row();
      float* y = call.output + t * out_row;
      for (int b = 0; b * bundle_ < shape_.groups; ++b) {
        const float* patch = gather(rows, b, call.scratch);
        for (std::size_t p = 0; p < phases_.size(); ++p) {
          run(call, phases_[p], p * num_bundles() + static_cast<std::size_t>(b), patch,
              y + b * bundle_outputs());
        }
      }
    }
  }

  void record(Recorder& to) const override {
    const Shape& s = shape_;
    gpu::Window x = window_.record(to, s.kernel_frames, s.dilation_frames, bundle_inputs());
    for (int b = 0; b * bundle_ < s.groups; ++b, x.offset += bundle_inputs()) {
      for (std::size_t i = 0; i < phases_.size(); ++i) {
        const Phase& p = phases_[i];
        const gpu::MapWindow from{
            x,         to.table(zeros_), s.bands, s.inputs, static_cast<int>(p.in_first),
            p.in_step, p.tap_step,       p.count};
        const gpu::MapBands y{to.output(), p.out_first, p.out_step, s.outputs,
                              b * bundle_outputs()};
        if (depthwise_) {
          to.add(gpu::MapDepthwise{to.timing(), from, static_cast<int>(p.taps.size()),
                                   to.table(tables_[i]), row_floats(s.outputs), to.table(bias_),
                                   y});
          continue;
        }
        const auto& packed = packed_[i * num_bundles() + static_cast<std::size_t>(b)];
        to.multiply<gpu::MapMatmul>(
            to.matrix(packed),
            std::int64_t{to.timing().lanes} * to.output().frames * to.max_ticks() * p.count, from,
            y);
      }
    }
  }

 private:
  const WindowRule& window() const override { return window_; }

  // A vector computes 16 outputs in any case, so narrow groups share one, with zeros between them.
  int groups_in_a_bundle() const {
    const int outputs = shape_.outputs / shape_.groups;
    const std::int64_t depth = std::int64_t{shape_.kernel_frames} * shape_.kernel_bands *
                               (shape_.inputs / shape_.groups) * 16;
    if (depth > 1 << 16) return 1;
    int bundle = 1;
    for (int n = 2; n * outputs <= 16 && n <= shape_.groups; ++n) {
      if (shape_.groups % n == 0) bundle = n;
    }
    return bundle;
  }
  int bundle_inputs() const { return shape_.inputs / shape_.groups * bundle_; }
  int bundle_outputs() const { return shape_.outputs / shape_.groups * bundle_; }
  std::size_t num_bundles() const { return static_cast<std::size_t>(shape_.groups / bundle_); }
  // Kernels write whole vectors: bands of other sizes go by way of scratch.
  bool staged() const { return bundle_outputs() > 16 && bundle_outputs() % 16 != 0; }
  std::ptrdiff_t staged_row() const { return staged() ? row_floats(bundle_outputs()) : 0; }

  void pack(const Phase& phase, int first_group, const float* weight, const float* bias) {
    const Shape& s = shape_;
    const int inputs = s.inputs / s.groups, outputs = s.outputs / s.groups;
    const int taps = static_cast<int>(phase.taps.size());
    const auto weight_at = [&](int o, int i, int frame, int tap) {
      const std::ptrdiff_t row = std::ptrdiff_t{o} * inputs + i;
      return weight[(row * s.kernel_frames + frame) * s.kernel_bands +
                    phase.taps[static_cast<std::size_t>(tap)]];
    };
    if (depthwise_) {
      const std::size_t row = static_cast<std::size_t>(row_floats(s.outputs));
      std::vector<float> table(row * static_cast<std::size_t>(taps * s.kernel_frames) + 16);
      std::vector<float> biases(row + 16);
      for (int tap = 0; tap < taps; ++tap) {
        for (int frame = 0; frame < s.kernel_frames; ++frame) {
          for (int c = 0; c < s.outputs; ++c) {
            table[static_cast<std::size_t>(tap * s.kernel_frames + frame) * row +
                  static_cast<std::size_t>(c)] = weight_at(c, 0, frame, tap);
          }
        }
      }
      if (bias) std::copy_n(bias, s.outputs, biases.begin());
      tables_.push_back(std::move(table));
      bias_ = std::move(biases);
      return;
    }
    // [output][tap][frame][input], zero where output and input are of different groups.
    const int depth = taps * s.kernel_frames * bundle_inputs();
    std::vector<float> rows(static_cast<std::size_t>(bundle_outputs()) *
                            static_cast<std::size_t>(depth));
    for (int o = 0; o < bundle_outputs(); ++o) {
      float* row = rows.data() + std::ptrdiff_t{o} * depth + o / outputs * inputs;
      for (int at = 0; at < taps * s.kernel_frames; ++at, row += bundle_inputs()) {
        for (int i = 0; i < inputs; ++i) {
          row[i] =
              weight_at(first_group * outputs + o, i, at % s.kernel_frames, at / s.kernel_frames);
        }
      }
    }
    packed_.push_back(pack_matrix(rows.data(), bundle_outputs(), depth,
                                  bias ? bias + first_group * outputs : nullptr));
  }

  // The bundle's inputs as [band][frame of the kernel][channel], zero bands on both sides.
  const float* gather(const float* rows, int bundle, float* patch) const noexcept {
    const Shape& s = shape_;
    const int inputs = bundle_inputs();
    const bool in_place = s.kernel_frames == 1 && num_bundles() == 1 && padded_bands_ == s.bands &&
                          (!depthwise_ || inputs % 16 == 0);
    if (in_place) return rows;
    const std::ptrdiff_t step = std::ptrdiff_t{s.kernel_frames} * inputs;
    const std::ptrdiff_t left = -first_band_;
    const std::ptrdiff_t right = padded_bands_ - left - s.bands;
    float* to = patch + left * step;
    std::fill(patch, to, 0.0f);
    for (int frame = 0; frame < s.kernel_frames; ++frame) {
      const float* from = rows + std::ptrdiff_t{frame} * s.dilation_frames * window_.row() +
                          std::ptrdiff_t{bundle} * inputs;
      for (int band = 0; band < s.bands; ++band) {
        std::copy_n(from + std::ptrdiff_t{band} * s.inputs, inputs,
                    to + band * step + std::ptrdiff_t{frame} * inputs);
      }
    }
    std::fill_n(to + s.bands * step, right * step, 0.0f);
    return patch;
  }

  void run(const Call& call, const Phase& phase, std::size_t index, const float* patch,
           float* y) const noexcept {
    const int inputs = shape_.kernel_frames * bundle_inputs();
    const int taps = static_cast<int>(phase.taps.size());
    float* const staging = call.scratch + patch_floats_;
    const std::ptrdiff_t y_step = std::ptrdiff_t{phase.out_step} * shape_.outputs;
    float* const out = staged() ? staging : y + std::ptrdiff_t{phase.out_first} * shape_.outputs;
    const std::ptrdiff_t out_step = staged() ? staged_row() : y_step;
    Rows rows{patch + (phase.in_first - first_band_) * inputs,
              std::ptrdiff_t{phase.in_step} * inputs, std::ptrdiff_t{phase.tap_step} * inputs, taps,
              inputs};
    if (depthwise_) {
      rows.taps = taps * shape_.kernel_frames;
      rows.tap_step = shape_.outputs;
      call.kernels.depthwise(tables_[index].data(), bias_.data(), shape_.outputs, rows, out,
                             out_step, phase.count);
    } else {
      call.kernels.matmul(packed_[index].view(), rows, out, out_step, phase.count);
    }
    if (!staged()) return;
    for (int i = 0; i < phase.count; ++i) {
      std::copy_n(staging + i * staged_row(), bundle_outputs(),
                  y + std::ptrdiff_t{phase.out_first} * shape_.outputs + i * y_step);
    }
  }

  Shape shape_;
  WindowRule window_;
  std::vector<Phase> phases_;
  bool depthwise_ = false;
  int bundle_ = 1;  // groups computed together
  std::int64_t first_band_ = 0;
  int padded_bands_ = 0;
  int most_outputs_ = 0;
  std::size_t patch_floats_ = 0;
  std::vector<PackedWeights> packed_;       // [phase][bundle]
  std::vector<std::vector<float>> tables_;  // likewise where depthwise
  std::vector<float> bias_;
  std::vector<float> zeros_;  // of a band beyond the map
};

}  // namespace

std::unique_ptr<Layer> make_conv2d(const LayerContext& context) {
  if (context.spec().kind == "conv2d") return std::make_unique<Conv2d>(context);
  return nullptr;
}

}  // namespace rtaudio
