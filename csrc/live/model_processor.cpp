#include "live/model_processor.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace rtaudio {
namespace {

constexpr int kMaxTicks = 4;

int checked_lanes(const Model& model, int lanes) {
  const int width = model.input().channels;
  if (model.output().channels != width || model.output().frames != model.input().frames) {
    throw std::invalid_argument(
        "live use needs a model that gives as many frames and channels as it takes");
  }
  if (lanes < width || lanes % width != 0) {
    throw std::invalid_argument("this model takes " + std::to_string(width) +
                                " channels at a time, and the signal has " + std::to_string(lanes));
  }
  return lanes / width;
}

// Frames that the model gets at a time; 0 where their number changes from block to block.
int model_block(int block, const ModelRates& rates) {
  const std::int64_t scaled = std::int64_t{block} * rates.model;
  return scaled % rates.device == 0 ? static_cast<int>(scaled / rates.device) : 0;
}

}  // namespace

ModelProcessor::ModelProcessor(std::shared_ptr<const Model> model, int lanes, int block,
                               ModelRates rates, double ramp_frames, std::vector<float> controls,
                               std::uint32_t seed)
    : lanes_(lanes),
      stream_(model, checked_lanes(*model, lanes), kMaxTicks, ramp_frames, std::move(controls),
              model_block(block, rates)),
      delay_(stream_.delay() + stream_.extra_delay()) {
  LaneSettings settings;
  settings.seed = seed;
  stream_.restart({static_cast<std::size_t>(stream_.lanes()), settings});
  if (rates.device == rates.model) return;
  down_ = std::make_unique<Resampler>(rates.device, rates.model, lanes, block);
  const int most = down_->max_output(block);
  // The second resampler makes the whole delay a whole number of the device's frames, so that the
  // untouched signal can be lined up with it.
  const double ratio = static_cast<double>(rates.device) / rates.model;
  const double least =
      down_->delay() + (delay_ + Resampler::least_delay(rates.model, rates.device)) * ratio;
  delay_ = static_cast<int>(std::ceil(least - 1e-9));
  up_ = std::make_unique<Resampler>(rates.model, rates.device, lanes, most,
                                    std::max(0.0, (delay_ - least) / ratio));
  const auto floats = [&](int frames) {
    return static_cast<std::size_t>(frames) * static_cast<std::size_t>(lanes);
  };
  to_model_.resize(floats(most));
  from_model_.resize(floats(most));
  ready_.resize(floats(up_->max_output(most) + static_cast<int>(ratio) + 2));
}

void ModelProcessor::reset() noexcept {
  stream_.reset();
  if (!down_) return;
  down_->reset();
  up_->reset();
  num_ready_ = 0;
}

void ModelProcessor::process(const float* in, float* out, int frames) noexcept {
  if (!down_) {
    stream_.process(in, out, frames);
    return;
  }
  // Both resamplers round the number of frames up, so there are always enough of them.
  const int count = down_->push(in, frames, to_model_.data());
  stream_.process(to_model_.data(), from_model_.data(), count);
  num_ready_ += up_->push(from_model_.data(), count, ready_.data() + num_ready_ * lanes_);
  std::copy_n(ready_.data(), frames * lanes_, out);
  num_ready_ -= frames;
  std::copy_n(ready_.data() + frames * lanes_, num_ready_ * lanes_, ready_.data());
}

}  // namespace rtaudio
