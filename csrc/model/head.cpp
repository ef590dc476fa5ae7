#include "model/head.h"

#include <algorithm>
#include <cmath>

#include "core/sampler.h"

namespace rtaudio {
namespace {

// Numbers (0, 1), one after the other, of one position.
class Uniforms {
 public:
  Uniforms(const Draw& draw, std::uint32_t first) : draw_(draw), next_(first) {}

  float next() noexcept {
    if (next_ % 4 == 0 || !filled_) {
      words_ = noise::draw(draw_.source, draw_.position, 0, next_ / 4);
      filled_ = true;
    }
    return noise::uniform(words_.w[next_++ % 4]);
  }

 private:
  const Draw& draw_;
  std::uint32_t next_;
  bool filled_ = false;
  noise::Words words_{};
};

class Sampler {
 public:
  enum class Mode { random, argmax, greedy, mode };

  explicit Sampler(const LayerContext& context)
      : mode_(static_cast<Mode>(context.integer("mode", 0, 3))),
        temperature_(context.number("temperature")),
        voiced_scale_(context.number("voiced_scale")) {
    const auto possible = [](float x) { return x >= 1e-3f && x <= 1e3f; };
    context.require(possible(temperature_) && possible(voiced_scale_),
                    "has a temperature that is not possible");
  }

  bool random(bool voiced) const {
    return mode_ != Mode::argmax && !(mode_ == Mode::greedy && voiced);
  }
  float temperature() const { return temperature_; }
  float scale(bool voiced) const {
    return mode_ == Mode::mode && voiced ? temperature_ * voiced_scale_ : temperature_;
  }

 private:
  Mode mode_;
  float temperature_;
  float voiced_scale_;
};

class MuLawSoftmax final : public Head {
 public:
  explicit MuLawSoftmax(const LayerContext& context)
      : sampler_(context), levels_(context.integer("levels", 2, 1 << 16)) {
    const float* decode = context.tensor("decode", {levels_});
    decode_.assign(decode, decode + levels_);
  }

  int num_parameters() const override { return levels_; }
  std::size_t scratch_floats() const override { return static_cast<std::size_t>(levels_) + 16; }

  void draw(const Draw& draw, float* values) const noexcept RTA_NONBLOCKING override {
    if (!sampler_.random(draw.voiced)) {
      values[0] = static_cast<float>(sampler::argmax(draw.parameters, levels_));
      return;
    }
    const float sharpness = 1.0f / sampler_.scale(draw.voiced);
    const float most = sampler::largest(draw.parameters, levels_);
    const auto n = static_cast<std::size_t>(levels_);
    float* weights = draw.scratch;
    draw.kernels.unary(Unary::affine, draw.parameters, weights, n, sharpness, -most * sharpness);
    draw.kernels.unary(Unary::exp, weights, weights, n, 0.0f, 0.0f);
    const float u = Uniforms(draw, 0).next();
    values[0] = static_cast<float>(sampler::categorical(weights, levels_, u));
  }

  void decode(const float* values, float* audio) const noexcept RTA_NONBLOCKING override {
    const int code = std::clamp(static_cast<int>(values[0]), 0, levels_ - 1);
    audio[0] = decode_[static_cast<std::size_t>(code)];
  }

 private:
  Sampler sampler_;
  int levels_;
  std::vector<float> decode_;
};

class Mixture final : public Head {
 public:
  explicit Mixture(const LayerContext& context)
      : sampler_(context),
        gaussian_(context.integer("gaussian", 0, 1) == 1),
        components_(context.integer("components", 1, 1 << 12)),
        values_(context.integer("values", 1, components_ > 1 ? 1 : 1 << 12)),
        levels_(context.integer("levels", 0, 1 << 24)),
        mu_law_levels_(context.integer("mu_law_levels", 0, 1 << 16)),
        log_of_levels_(static_cast<float>(std::log(std::max(mu_law_levels_, 1)))),
        min_log_scale_(context.number("min_log_scale")),
        max_log_scale_(context.number("max_log_scale")),
        limit_(context.number("limit")) {
    context.require(levels_ != 1 && mu_law_levels_ != 1, "rounds to a single level");
    context.require(min_log_scale_ >= -50.0f && min_log_scale_ <= max_log_scale_ &&
                        max_log_scale_ <= 50.0f && limit_ > 0.0f && limit_ <= 1e6f,
                    "has bounds that are not possible");
    context.require(limit_ <= 1.0f || (levels_ == 0 && mu_law_levels_ == 0),
                    "rounds or expands values beyond full scale");
  }

  int num_parameters() const override { return components_ > 1 ? 3 * components_ : 2 * values_; }
  int width() const override { return values_; }

  void draw(const Draw& draw, float* values) const noexcept RTA_NONBLOCKING override {
    const bool random = sampler_.random(draw.voiced);
    const int component = components_ > 1 ? choose(draw, random) : 0;
    const float* means = draw.parameters + (components_ > 1 ? components_ + component : 0);
    const float* scales = means + (components_ > 1 ? components_ : values_);
    const float temperature = sampler_.scale(draw.voiced);
    // The numbers after those that chose a component; pairs of them make Gaussian ones.
    Uniforms uniforms(draw,
                      components_ > 1 ? static_cast<std::uint32_t>(components_ + 1) & ~1u : 0);
    noise::Pair pair{};
    for (int i = 0; i < values_; ++i) {
      float x = means[i];
      if (random) {
        const float log_scale = max(min_log_scale_, min(max_log_scale_, scales[i]));
        float unit;
        if (gaussian_) {
          if (i % 2 == 0) {
            const float u = uniforms.next();
            pair = noise::normal_pair(u, uniforms.next());
          }
          unit = i % 2 == 0 ? pair.first : pair.second;
        } else {
          unit = sampler::logistic(uniforms.next());
        }
        x = x + math::exp(log_scale) * temperature * unit;
      }
      values[i] = finish(x);
    }
  }

  void decode(const float* values, float* audio) const noexcept RTA_NONBLOCKING override {
    for (int i = 0; i < values_; ++i) {
      audio[i] = mu_law_levels_ == 0
                     ? values[i]
                     : sampler::mu_law_expand(values[i], static_cast<float>(mu_law_levels_ - 1),
                                              log_of_levels_);
    }
  }

 private:
  int choose(const Draw& draw, bool random) const noexcept {
    Uniforms uniforms(draw, 0);
    const float temperature = sampler_.temperature();
    int best = 0;
    float most = 0.0f;
    for (int k = 0; k < components_; ++k) {
      float value = draw.parameters[k];
      if (random) value = value / temperature + sampler::gumbel(uniforms.next());
      if (k == 0 || value > most) {
        best = k;
        most = value;
      }
    }
    return best;
  }

  // NaN becomes silence, so that it cannot live on in the queues.
  float finish(float x) const noexcept {
    if (!(abs(x) <= limit_)) x = x > 0.0f ? limit_ : x < 0.0f ? -limit_ : 0.0f;
    return levels_ == 0 ? x : sampler::round_to_level(x, levels_);
  }

  Sampler sampler_;
  bool gaussian_;
  int components_;
  int values_;
  int levels_;
  int mu_law_levels_;
  float log_of_levels_;
  float min_log_scale_;
  float max_log_scale_;
  float limit_;
};

}  // namespace

std::unique_ptr<Head> make_head(const LayerContext& feedback) {
  if (feedback.integer("softmax", 0, 1) == 1) return std::make_unique<MuLawSoftmax>(feedback);
  return std::make_unique<Mixture>(feedback);
}

}  // namespace rtaudio
