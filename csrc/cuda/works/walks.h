// Recurrent cells step by step: along time, against it, or along the bands of a frame. Steps of one
// walk follow one another, so each walk has a team, whose threads share the cell's units. All walks
// are one kernel: most of it are a cell's sums.
#pragma once

#include "cuda/works/cells.h"

namespace rtaudio::gpu {

// Threads of a team.
constexpr int kFewUnits = 64;
constexpr int kManyUnits = 256;

// Which rows are the signal's, of a history and a call together: output frame i belongs to row i.
struct Reach {
  Timing timing;
  int kept = 0;    // rows of the history
  Memory ended{};  // of which so many have come since the signal's end

  struct Rows {
    int frames, begin, end, missing;
  };
  RTA_HD Rows of(int lane, int ticks) const {
    const Span span = timing.span(lane, ticks);
    const bool over = kept > 0 && span.begin == span.end;
    const int missing = span.frames - span.end + (over ? static_cast<int>(*ended.of(lane)) : 0);
    const std::int64_t begin = timing.delay + kept - span.position;
    return {span.frames, clamp(begin, 0, span.frames + kept), kept + span.frames - missing,
            missing};
  }
  RTA_HD static int clamp(std::int64_t t, int low, int high) {
    return t < low ? low : t > high ? high : static_cast<int>(t);
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

// Where a step's numbers are.
struct Step {
  const float* from = nullptr;  // h before it; nullptr: there is no step
  float* next = nullptr;        // h behind it
  float* c = nullptr;
  const float* gates = nullptr;  // W x
  const float* more = nullptr;   // added to these, if not nullptr
  float* y = nullptr;            // h again, if not nullptr,
  float* mirrored = nullptr;     // of units in every second run here
  int run = 0;
};

// The frames of a call, state kept: `rows` of h, behind them of c. Rows (bands) of a lane know
// nothing of one another.
struct AlongTime {
  Reach reach;
  int rows;      // of a lane
  Memory wx;     // [frame][row][gate]
  Memory state;  // [row] h, then [row] c
  Memory h;      // [row][2], of every second frame
  Signal y;      // [frame][row][y_row]
  int y_row;     // zeros outside the signal

  RTA_HD std::int64_t teams(int /*ticks*/) const { return std::int64_t{reach.timing.lanes} * rows; }
  RTA_HD bool is_held(int team, int /*ticks*/) const { return reach.timing.held[team / rows] != 0; }
  RTA_HD int phases(int ticks) const { return 1 + reach.timing.frames * ticks; }

  RTA_HD void begin(const Cell& cell, int team, int thread, int threads, int ticks) const {
    const int row = team % rows;
    const Frames valid = frames_of(team / rows, ticks);
    const float* const now = state_of(cell, team);
    float* const first = h_of(cell, team);
    for (int i = thread; i < cell.hidden; i += threads) first[i] = now[i];
    for (int t = 0; t < reach.timing.frames * ticks; ++t) {
      if (t >= valid.begin && t < valid.end) continue;
      float* const to = y.at(team / rows, t) + row * y_row;
      for (int i = thread; i < y_row; i += threads) to[i] = 0.0f;
    }
  }
  RTA_HD Step step(const Cell& cell, int team, int number, int ticks) const {
    const int lane = team / rows, row = team % rows;
    const Frames valid = frames_of(lane, ticks);
    const int t = valid.begin + number;
    if (t >= valid.end) return {};
    float* const now = state_of(cell, team);
    float* const between = h_of(cell, team);
    return {between + number % 2 * cell.stride,
            t + 1 == valid.end ? now : between + (number + 1) % 2 * cell.stride,
            now + std::ptrdiff_t{rows} * cell.stride,
            wx.of(lane) + (std::ptrdiff_t{t} * rows + row) * cell.row(),
            nullptr,
            y.at(lane, t) + row * y_row};
  }

 private:
  struct Frames {
    int begin, end;
  };
  RTA_HD Frames frames_of(int lane, int ticks) const {
    const Reach::Rows all = reach.of(lane, ticks);
    const int begin = Reach::clamp(all.begin, 0, all.frames);
    return {begin, Reach::clamp(all.end, begin, all.frames)};
  }
  RTA_HD float* state_of(const Cell& cell, int team) const {
    return state.of(team / rows) + std::ptrdiff_t{team % rows} * cell.stride;
  }
  RTA_HD float* h_of(const Cell& cell, int team) const {
    return h.of(team / rows) + std::ptrdiff_t{team % rows} * 2 * cell.stride;
  }
};

// Each chunk of a call's frames anew, from the rows behind it back to its first.
struct AgainstTime {
  Reach reach;
  Memory wx;  // [row][gate]
  Memory h;   // [chunk]: two rows of h, one of c
  Signal y;   // behind the units of AlongTime
  int chunk;
  int lookahead;              // rows behind a chunk where it begins
  const std::int32_t* whole;  // one chunk, from the last row on

  RTA_HD int chunks(int ticks) const { return reach.timing.frames * ticks / chunk; }
  RTA_HD std::int64_t teams(int ticks) const {
    return std::int64_t{reach.timing.lanes} * chunks(ticks);
  }
  RTA_HD bool is_held(int team, int ticks) const {
    return reach.timing.held[team / chunks(ticks)] != 0;
  }
  RTA_HD int phases(int ticks) const {
    return 1 + (*whole != 0 ? reach.timing.frames * ticks + reach.kept : chunk + lookahead);
  }

  RTA_HD void begin(const Cell& cell, int team, int thread, int threads, int ticks) const {
    float* const first = h_of(cell, team, ticks);
    float* const c = first + 2 * cell.stride;
    for (int i = thread; i < cell.hidden; i += threads) first[i] = c[i] = 0.0f;
  }
  RTA_HD Step step(const Cell& cell, int team, int number, int ticks) const {
    const int at = team / chunks(ticks), index = team % chunks(ticks);
    if (*whole != 0 && index > 0) return {};
    const Reach::Rows rows = reach.of(at, ticks);
    const int first = index * chunk, last = *whole != 0 ? rows.frames : first + chunk;
    const int low = Reach::clamp(rows.begin, first, last);
    const int high = Reach::clamp(rows.end, low, last);
    const int behind = last + (*whole != 0 ? reach.kept : lookahead);
    const int t = (behind < rows.end ? behind : rows.end) - 1 - number;
    if (high <= low || t < low) return {};
    float* const between = h_of(cell, team, ticks);
    return {between + number % 2 * cell.stride,
            between + (number + 1) % 2 * cell.stride,
            between + 2 * cell.stride,
            wx.of(at) + std::ptrdiff_t{t} * cell.row(),
            nullptr,
            t < high ? y.at(at, t) + cell.hidden : nullptr};
  }

 private:
  RTA_HD float* h_of(const Cell& cell, int team, int ticks) const {
    return h.of(team / chunks(ticks)) + std::ptrdiff_t{team % chunks(ticks)} * 3 * cell.stride;
  }
};

// The bands of each frame, both directions (and all groups) as one cell: units are [group]
// [direction][run], and those of the backward direction take the bands in falling order.
struct AlongBands {
  Timing timing;
  int bands;
  int directions;
  int run;
  Memory wx;        // [frame][band][gate], of forward units where there are two directions
  Memory backward;  // the same of the others
  Memory h;         // [frame]: two rows of h, one of c
  Signal y;

  RTA_HD std::int64_t teams(int ticks) const {
    return std::int64_t{timing.lanes} * timing.frames * ticks;
  }
  RTA_HD bool is_held(int team, int ticks) const { return timing.held[lane(team, ticks)] != 0; }
  RTA_HD int phases(int /*ticks*/) const { return 1 + bands; }

  RTA_HD void begin(const Cell& cell, int team, int thread, int threads, int ticks) const {
    float* const first = h_of(cell, team, ticks);
    float* const c = first + 2 * cell.stride;
    for (int i = thread; i < cell.hidden; i += threads) first[i] = c[i] = 0.0f;
  }
  RTA_HD Step step(const Cell& cell, int team, int band, int ticks) const {
    const int at = lane(team, ticks), t = team % (timing.frames * ticks);
    const int mirrored = bands - 1 - band;
    float* const between = h_of(cell, team, ticks);
    const std::ptrdiff_t frame = std::ptrdiff_t{t} * bands;
    float* const to = y.at(at, t);
    return {between + band % 2 * cell.stride,
            between + (band + 1) % 2 * cell.stride,
            between + 2 * cell.stride,
            wx.of(at) + (frame + band) * cell.row(),
            directions == 1 ? nullptr : backward.of(at) + (frame + mirrored) * cell.row(),
            to + band * cell.hidden,
            to + mirrored * cell.hidden,
            directions == 1 ? 0 : run};
  }

 private:
  RTA_HD int lane(int team, int ticks) const { return team / (timing.frames * ticks); }
  RTA_HD float* h_of(const Cell& cell, int team, int ticks) const {
    const int t = team % (timing.frames * ticks);
    return h.of(lane(team, ticks)) + std::ptrdiff_t{t} * 3 * cell.stride;
  }
};

// A cell on one of these walks.
template <int Threads>
struct Walk {
  static constexpr int kTeam = Threads;
  enum class Kind : std::int32_t { along_time, against_time, along_bands };
  Cell cell;
  Kind kind;
  AlongTime time{};
  AgainstTime back{};
  AlongBands bands{};

  Walk(const Cell& of, const AlongTime& walk) : cell(of), kind(Kind::along_time), time(walk) {}
  Walk(const Cell& of, const AgainstTime& walk) : cell(of), kind(Kind::against_time), back(walk) {}
  Walk(const Cell& of, const AlongBands& walk) : cell(of), kind(Kind::along_bands), bands(walk) {}

  RTA_HD std::int64_t teams(int ticks) const {
    return with([ticks](const auto& walk) { return walk.teams(ticks); });
  }
  RTA_HD int phases(int ticks) const {
    return with([ticks](const auto& walk) { return walk.phases(ticks); });
  }
  RTA_HD void operator()(int team, int phase, int thread, int ticks) const {
    if (with([&](const auto& walk) { return walk.is_held(team, ticks); })) return;
    if (phase == 0) {
      return with([&](const auto& walk) { walk.begin(cell, team, thread, Threads, ticks); });
    }
    const Step step =
        with([&](const auto& walk) { return walk.step(cell, team, phase - 1, ticks); });
    if (step.from == nullptr) return;
    for (int i = thread; i < cell.hidden; i += Threads) {
      const auto gate = [&](int number) {
        const int g = number * cell.stride + i;
        return step.more == nullptr ? step.gates[g] : step.gates[g] + step.more[g];
      };
      const float h = cell.next_of(i, gate, step.from, step.c);
      step.next[i] = h;
      float* const y = step.run > 0 && i / step.run % 2 == 1 ? step.mirrored : step.y;
      if (y != nullptr) y[i] = h;
    }
  }

 private:
  template <class F>
  RTA_HD auto with(const F& f) const {
    if (kind == Kind::along_time) return f(time);
    if (kind == Kind::against_time) return f(back);
    return f(bands);
  }
};

}  // namespace rtaudio::gpu
