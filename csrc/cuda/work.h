// Everything that a session on a GPU does: works, each a plain function object that one thread
// calls with its number. They run on a GPU as kernels and, thread by thread in any order, on the
// host, where tests compare them with the CPU's sessions bit for bit.
//   std::int64_t items(int ticks) const;       threads of a call
//   void operator()(int item, int ticks) const;
// or, of a thread a place, in lanes that are not held:
//   Grid grid(int ticks) const; void operator()(const Place& place, int ticks) const;
// A team's threads go through phases together, with a barrier between them:
//   static constexpr int kTeam; std::int64_t teams(int ticks) const; int phases(int ticks) const;
//   void operator()(int team, int phase, int thread, int ticks) const;
// What phases tell one another goes by memory.
// What launches itself: void launch(int ticks, void* stream) const.
#pragma once

#include <variant>
#include <vector>

#include "cuda/works/attention.h"
#include "cuda/works/cells.h"
#include "cuda/works/conditioned.h"
#include "cuda/works/diffusion.h"
#include "cuda/works/diffwave.h"
#include "cuda/works/diffwave_tiles.h"
#include "cuda/works/loops.h"
#include "cuda/works/maps.h"
#include "cuda/works/matmul.h"
#include "cuda/works/norms.h"
#include "cuda/works/pointwise.h"
#include "cuda/works/rates.h"
#include "cuda/works/rings.h"
#include "cuda/works/running.h"
#include "cuda/works/sources.h"
#include "cuda/works/spectra.h"
#include "cuda/works/stacks.h"
#include "cuda/works/tensor_cores.h"
#include "cuda/works/walks.h"
#include "cuda/works/wavenet.h"

namespace rtaudio::gpu {

template <class W>
constexpr bool is_team = requires { W::kTeam; };

template <class W>
constexpr bool launches_itself = requires(const W& work) { work.launch(1, nullptr); };

template <class W>
RTA_HD std::int64_t items_of(const W& work, int ticks) {
  if constexpr (requires { work.grid(ticks); }) {
    const Grid grid = work.grid(ticks);
    return places(grid.timing.lanes, grid.frames, grid.channels);
  } else {
    return work.items(ticks);
  }
}
template <class W>
RTA_HD void do_item(const W& work, int item, int ticks) {
  if constexpr (requires { work.grid(ticks); }) {
    const Grid grid = work.grid(ticks);
    const Place place(item, grid.frames, grid.channels);
    if (grid.timing.held[place.lane] == 0) work(place, ticks);
  } else {
    work(item, ticks);
  }
}

// What kernels are made of; each header of works/ adds its own.
using Work = std::variant<
    Advance, Append, Attend, Channelwise, ConditionedHidden<1>, ConditionedHidden<4>,
    ConditionedOutput<1>, ConditionedOutput<4>, Copy, CountFrames, CountHeld, DeepFilter, Depthwise,
    DiffWaveFirst, DiffWaveLayer<4, 1, 4>, DiffWaveLayer<8, 2, 16>, DiffWaveTiles, Draw, Embedding,
    Enter, Function, GatedLayer, Istft, KeepKeys, Leave, LongNorm, LoopBegin, LoopDraw, LoopSource,
    MapDepthwise, MapMatmul<1, 1>, MapMatmul<4, 1>, MapMatmul<8, 4>, Matmul<1, 1>, Matmul<4, 1>,
    Matmul<8, 4>, MeanSubtract, Moments, Move, Norm, Normalize, NoteEnd, Overlap, Pairwise, Pool,
    PulseTrain, Recall, RecurrenceStep, RefineStep, Remember, RunningMoments, RunningNorm, Stft,
    TakeCondition, TileMatmul<1>, TileMatmul<4>, Unpool, Upsample, Walk<kFewUnits>,
    Walk<kManyUnits>, WaveNetEnd, WaveNetLanes, WaveNetLoop>;

// Works that run one after another: once a call, or `rounds_per_tick` times for each of its ticks,
// one tick at a time.
struct Section {
  std::vector<Work> works;
  int rounds_per_tick = 0;

  int rounds(int ticks) const { return rounds_per_tick == 0 ? 1 : rounds_per_tick * ticks; }
  int ticks_each(int ticks) const { return rounds_per_tick == 0 ? ticks : 1; }
};
struct Program {
  std::vector<Section> sections;
};

}  // namespace rtaudio::gpu
