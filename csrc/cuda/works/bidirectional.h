// Recurrent cells in both directions of time, over the rows of a history and a call together:
// output frame i belongs to row i. The forward cell goes on from call to call; the backward cell
// begins anew in each chunk of frames, so each chunk has a team of its own.
#pragma once

#include "cuda/works/cells.h"

namespace rtaudio::gpu {

// Which rows are the signal's.
struct Reach {
  Timing timing;
  int kept;      // rows of the history
  Memory ended;  // of which so many have come since the signal's end

  struct Rows {
    int frames, begin, end, missing;
  };
  RTA_HD Rows of(int lane, int ticks) const {
    const Span span = timing.span(lane, ticks);
    const int old = span.begin < span.end ? 0 : static_cast<int>(*ended.of(lane));
    const int missing = span.frames - span.end + old;
    const std::int64_t begin = timing.delay + kept - span.position;
    return {span.frames, clamp(begin, 0, span.frames + kept), kept + span.frames - missing,
            missing};
  }
  RTA_HD static int clamp(std::int64_t t, int low, int high) {
    return t < low ? low : t > high ? high : static_cast<int>(t);
  }
};

template <int Threads>
struct Forward {
  static constexpr int kTeam = Threads;
  Reach reach;
  Cell cell;
  Memory wx;     // [row][gate]
  Memory state;  // h, c
  Memory h;      // two rows
  Signal y;

  RTA_HD std::int64_t teams(int /*ticks*/) const { return reach.timing.lanes; }
  RTA_HD int phases(int ticks) const { return 1 + reach.timing.frames * ticks; }
  RTA_HD void operator()(int lane, int phase, int thread, int ticks) const {
    if (reach.timing.held[lane] != 0) return;
    const Reach::Rows rows = reach.of(lane, ticks);
    const int low = Reach::clamp(rows.begin, 0, rows.frames);
    const int high = Reach::clamp(rows.end, low, rows.frames);
    float* const now = state.of(lane);
    float* const between = h.of(lane);
    if (phase == 0) {
      for (int i = thread; i < cell.hidden; i += Threads) between[i] = now[i];
      for (int t = 0; t < rows.frames; ++t) {
        if (t >= low && t < high) continue;
        for (int i = thread; i < 2 * cell.hidden; i += Threads) y.at(lane, t)[i] = 0.0f;
      }
      return;
    }
    const int t = low + phase - 1;
    if (t >= high) return;
    const float* const from = between + (phase - 1) % 2 * cell.stride;
    float* const next = t + 1 == high ? now : between + phase % 2 * cell.stride;
    const float* const gates = wx.of(lane) + std::ptrdiff_t{t} * cell.row();
    for (int i = thread; i < cell.hidden; i += Threads) {
      const auto at = [&](int gate) { return gates[gate * cell.stride + i]; };
      next[i] = cell.next_of(i, at, from, now + cell.stride);
      y.at(lane, t)[i] = next[i];
    }
  }
};

template <int Threads>
struct Backward {
  static constexpr int kTeam = Threads;
  Reach reach;
  Cell cell;
  Memory wx;  // [row][gate]
  Memory h;   // [chunk]: two rows of h, one of c
  Signal y;
  int chunk;
  int lookahead;              // rows behind a chunk where it begins
  const std::int32_t* whole;  // one chunk, from the last row on

  RTA_HD int chunks(int ticks) const { return reach.timing.frames * ticks / chunk; }
  RTA_HD std::int64_t teams(int ticks) const {
    return std::int64_t{reach.timing.lanes} * chunks(ticks);
  }
  RTA_HD int phases(int ticks) const {
    return 1 + (*whole != 0 ? reach.timing.frames * ticks + reach.kept : chunk + lookahead);
  }
  RTA_HD void operator()(int team, int phase, int thread, int ticks) const {
    const int lane = team / chunks(ticks), index = team % chunks(ticks);
    if (reach.timing.held[lane] != 0 || (*whole != 0 && index > 0)) return;
    const Reach::Rows rows = reach.of(lane, ticks);
    const int first = index * chunk, last = *whole != 0 ? rows.frames : first + chunk;
    const int low = Reach::clamp(rows.begin, first, last);
    const int high = Reach::clamp(rows.end, low, last);
    if (high <= low) return;
    const int behind = last + (*whole != 0 ? reach.kept : lookahead);
    float* const between = h.of(lane) + std::ptrdiff_t{index} * 3 * cell.stride;
    float* const c = between + 2 * cell.stride;
    if (phase == 0) {
      for (int i = thread; i < cell.hidden; i += Threads) between[i] = c[i] = 0.0f;
      return;
    }
    const int t = (behind < rows.end ? behind : rows.end) - phase;
    if (t < low) return;
    const float* const from = between + (phase - 1) % 2 * cell.stride;
    float* const next = between + phase % 2 * cell.stride;
    const float* const gates = wx.of(lane) + std::ptrdiff_t{t} * cell.row();
    for (int i = thread; i < cell.hidden; i += Threads) {
      const auto at = [&](int gate) { return gates[gate * cell.stride + i]; };
      next[i] = cell.next_of(i, at, from, c);
      if (t < high) y.at(lane, t)[cell.hidden + i] = next[i];
    }
  }
};

// What a lane keeps of the signal's end.
struct NoteEnd {
  Reach reach;

  RTA_HD std::int64_t items(int /*ticks*/) const { return reach.timing.lanes; }
  RTA_HD void operator()(int lane, int ticks) const {
    if (reach.timing.held[lane] != 0) return;
    const int missing = reach.of(lane, ticks).missing;
    *reach.ended.of(lane) = static_cast<float>(missing < reach.kept ? missing : reach.kept);
  }
};

}  // namespace rtaudio::gpu
