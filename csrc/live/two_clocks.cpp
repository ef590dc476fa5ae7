#include "live/two_clocks.h"

#include <algorithm>

#include "cpu/denormals.h"
#include "live/clock.h"
#include "live/priority.h"

namespace rtaudio {

TwoClocks::TwoClocks(Engine& engine, int slack)
    : engine_(engine),
      bridge_(engine.config().input_channels, engine.config().block, slack,
              engine.config().sample_rate),
      in_(static_cast<std::size_t>(engine.config().block) *
          static_cast<std::size_t>(engine.config().input_channels)) {}

void TwoClocks::capture(const float* in, std::int64_t frames, unsigned long flags) noexcept {
  if (!captured_) {
    captured_ = true;
    RTA_WAKE(raise_priority(kCallbackPriority));
  }
  if (flags != 0) input_flags_.fetch_or(flags, std::memory_order_relaxed);
  bridge_.push(in, static_cast<int>(frames), now_ns());
}

void TwoClocks::play(float* out, std::int64_t frames, unsigned long flags) noexcept {
  const EngineConfig& config = engine_.config();
  flags |= input_flags_.exchange(0, std::memory_order_relaxed);
  for (std::int64_t t = 0; t < frames; t += config.block) {
    const auto count = static_cast<int>(std::min<std::int64_t>(frames - t, config.block));
    {
      const FlushDenormals guard;
      if (!bridge_.pull(in_.data(), count, now_ns())) engine_.note_clock_slip();
    }
    engine_.process(in_.data(), out + t * config.output_channels, count, flags);
    flags = 0;
  }
}

}  // namespace rtaudio
