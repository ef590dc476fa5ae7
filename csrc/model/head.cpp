#include "model/head.h"

#include <algorithm>
#include <cmath>

#include "cpu/kernels.h"
#include "model/recorder.h"

namespace rtaudio {
namespace {

heads::Sampler sampler_of(const LayerContext& context) {
  const heads::Sampler sampler{static_cast<heads::Sampler::Mode>(context.integer("mode", 0, 3)),
                               context.number("temperature"), context.number("voiced_scale")};
  const auto possible = [](float x) { return x >= 1e-3f && x <= 1e3f; };
  context.require(possible(sampler.temperature) && possible(sampler.voiced_scale),
                  "has a temperature that is not possible");
  return sampler;
}

class MuLawSoftmax final : public Head {
 public:
  explicit MuLawSoftmax(const LayerContext& context) : head_(softmax_of(context)) {
    const float* decode = context.tensor("decode", {head_.levels});
    decode_.assign(decode, decode + head_.levels);
    head_.decode = decode_.data();
  }

  heads::Softmax softmax(Recorder& to) const override {
    heads::Softmax there = head_;
    there.decode = to.table(decode_);
    return there;
  }
  int num_parameters() const override { return head_.levels; }
  std::size_t scratch_floats() const override {
    return static_cast<std::size_t>(head_.levels) + 16;
  }

  // By vectors what heads::Softmax::weight says.
  void draw(const Draw& draw, float* values) const noexcept RTA_NONBLOCKING override {
    if (!head_.sampler.random(draw.voiced)) {
      values[0] = static_cast<float>(sampler::argmax(draw.parameters, head_.levels));
      return;
    }
    const float sharpness = 1.0f / head_.sampler.scale(draw.voiced);
    const float most = sampler::largest(draw.parameters, head_.levels);
    const auto n = static_cast<std::size_t>(head_.levels);
    float* weights = draw.scratch;
    draw.kernels.unary(Unary::affine, draw.parameters, weights, n, sharpness, -most * sharpness);
    draw.kernels.unary(Unary::exp, weights, weights, n, 0.0f, 0.0f);
    const float u = heads::Uniforms(draw.source, draw.position, 0).next();
    values[0] = static_cast<float>(sampler::categorical(weights, head_.levels, u));
  }

  void decode(const float* values, float* audio) const noexcept RTA_NONBLOCKING override {
    audio[0] = head_.sample(values[0]);
  }

 private:
  heads::Softmax head_;
  std::vector<float> decode_;
};

class Mixture final : public Head {
 public:
  explicit Mixture(const LayerContext& context) : head_(mixture_of(context)) {}

  heads::Mixture mixture() const override { return head_; }
  int num_parameters() const override { return head_.num_parameters(); }
  int width() const override { return head_.values; }

  void draw(const Draw& draw, float* values) const noexcept RTA_NONBLOCKING override {
    const int component =
        head_.components > 1 ? choose(draw, head_.sampler.random(draw.voiced)) : 0;
    head_.draw(draw.parameters, component, draw.source, draw.position, draw.voiced, values);
  }

  void decode(const float* values, float* audio) const noexcept RTA_NONBLOCKING override {
    for (int i = 0; i < head_.values; ++i) audio[i] = head_.sample(values[i]);
  }

 private:
  int choose(const Draw& draw, bool random) const noexcept {
    heads::Uniforms uniforms(draw.source, draw.position, 0);
    int best = 0;
    float most = 0.0f;
    for (int k = 0; k < head_.components; ++k) {
      const float value = head_.score(draw.parameters[k], random, random ? uniforms.next() : 0.0f);
      if (k == 0 || value > most) {
        best = k;
        most = value;
      }
    }
    return best;
  }

  heads::Mixture head_;
};

}  // namespace

heads::Softmax softmax_of(const LayerContext& context) {
  return {sampler_of(context), context.integer("levels", 2, 1 << 16), nullptr};
}

heads::Mixture mixture_of(const LayerContext& context) {
  heads::Mixture head{};
  head.sampler = sampler_of(context);
  head.gaussian = context.integer("gaussian", 0, 1) == 1;
  head.components = context.integer("components", 1, 1 << 12);
  head.values = context.integer("values", 1, head.components > 1 ? 1 : 1 << 12);
  head.levels = context.integer("levels", 0, 1 << 24);
  head.mu_law_levels = context.integer("mu_law_levels", 0, 1 << 16);
  head.log_of_levels = static_cast<float>(std::log(std::max(head.mu_law_levels, 1)));
  head.min_log_scale = context.number("min_log_scale");
  head.max_log_scale = context.number("max_log_scale");
  head.limit = context.number("limit");
  context.require(head.levels != 1 && head.mu_law_levels != 1, "rounds to a single level");
  context.require(head.min_log_scale >= -50.0f && head.min_log_scale <= head.max_log_scale &&
                      head.max_log_scale <= 50.0f && head.limit > 0.0f && head.limit <= 1e6f,
                  "has bounds that are not possible");
  context.require(head.limit <= 1.0f || (head.levels == 0 && head.mu_law_levels == 0),
                  "rounds or expands values beyond full scale");
  return head;
}

std::unique_ptr<Head> make_head(const LayerContext& feedback) {
  if (feedback.integer("softmax", 0, 1) == 1) return std::make_unique<MuLawSoftmax>(feedback);
  return std::make_unique<Mixture>(feedback);
}

}  // namespace rtaudio
