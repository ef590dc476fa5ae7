// A model at work on a device's signal, at the device's rate or, between two resamplers, its own.
#pragma once

#include <memory>
#include <vector>

#include "live/processor.h"
#include "live/resampler.h"
#include "model/stream.h"

namespace rtaudio {

struct ModelRates {
  int device;
  int model;
};

class ModelProcessor final : public Processor {
 public:
  // `block`: frames of a device's block; `ramp_frames`: of the model's; `seed`: of its noise.
  // Throws std::invalid_argument for a model that does not give as many frames of as many channels
  // as it takes, and what Stream and Resampler throw.
  ModelProcessor(std::shared_ptr<const Model> model, int lanes, int block, ModelRates rates,
                 double ramp_frames, std::vector<float> controls, std::uint32_t seed = 0);

  int delay() const override { return delay_; }
  void process(const float* in, float* out, int frames) noexcept RTA_NONBLOCKING override;
  void reset() noexcept RTA_NONBLOCKING override;
  int num_controls() const override { return stream_.num_controls(); }
  void set_control(int index, float value) noexcept RTA_NONBLOCKING override {
    stream_.set_control(index, value);
  }

 private:
  int lanes_;
  Stream stream_;
  int delay_;
  std::unique_ptr<Resampler> down_;  // null where the rates are the same
  std::unique_ptr<Resampler> up_;
  std::vector<float> to_model_, from_model_;
  std::vector<float> ready_;  // for the device; what is left of it leads the next block
  int num_ready_ = 0;
};

}  // namespace rtaudio
