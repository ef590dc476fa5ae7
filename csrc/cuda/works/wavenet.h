// A loop of one WaveNet: what each lane is to do, the persistent kernel, and the end of prompts.
#pragma once

#include "cuda/wavenet.h"
#include "cuda/works/loops.h"

namespace rtaudio::gpu {

// A lane's state: values, noise, prompt, rings as a Net lays them out.
struct WaveNetLanes {
  Timing timing;
  Memory state;
  int width;
  int hop;
  std::uint32_t site;
  Signal output;
  const float* const* prompts;  // [lane]
  wavenet::Lane* lanes;

  RTA_HD std::int64_t items(int ticks) const {
    return places(timing.lanes, timing.frames * ticks * hop, width);
  }
  // Frames outside the signal are zeros.
  RTA_HD void operator()(int item, int ticks) const {
    const Place p(item, timing.frames * ticks * hop, width);
    const bool held = timing.held[p.lane] != 0;
    const Span span = timing.span(p.lane, ticks);
    if (!held && !span.contains(p.t / hop)) output.at(p.lane, p.t)[p.c] = 0.0f;
    if (p.t > 0 || p.c > 0) return;
    const float* const own = state.of(p.lane);
    lanes[p.lane] = {noise::source_of(own + width, site),
                     (span.position + span.begin - timing.delay) * hop,
                     prompts[p.lane],
                     prompt_steps_of(own + width),
                     span.begin,
                     held ? 0 : (span.end - span.begin) * hop};
  }
};

// Its frames follow from the call's ticks. Not a kernel like the others: blocks that wait for one
// another, which the network's owner launches.
struct WaveNetLoop {
  const wavenet::Gpu* gpu;
  wavenet::Call call;
  int frames;  // per tick
  char* mail;

  std::int64_t items(int) const { return call.lanes; }
  void launch(int ticks, void* stream) const {
    wavenet::Call now = call;
    now.frames = frames * ticks;
    gpu->launch(now, mail, stream);
  }
};

// A prompt that is used up is forgotten; the state can be saved from here on.
struct WaveNetEnd {
  Memory state;
  int width;
  const wavenet::Lane* lanes;
  int count;

  RTA_HD std::int64_t items(int /*ticks*/) const { return count; }
  RTA_HD void operator()(int lane, int /*ticks*/) const {
    const wavenet::Lane& done = lanes[lane];
    if (done.steps == 0 || done.position + done.steps < done.prompt_steps) return;
    for (int i = 0; i < 4; ++i) state.of(lane)[width + 4 + i] = 0.0f;
  }
};

}  // namespace rtaudio::gpu
