#include "model/threads.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "cpu/denormals.h"

namespace rtaudio {
namespace {

constexpr std::size_t kCacheLine = 64;

// How many parts of how many pieces a thread has done: its pieces' numbers times the parts of one,
// and those of the piece it is at.
struct alignas(kCacheLine) Progress {
  std::atomic<std::int64_t> parts = 0;

  void wait_for(std::int64_t wanted) const noexcept {
    for (std::int64_t seen; (seen = parts.load(std::memory_order_acquire)) < wanted;) {
      parts.wait(seen, std::memory_order_acquire);
    }
  }
  void set(std::int64_t done) noexcept {
    parts.store(done, std::memory_order_release);
    parts.notify_all();
  }
};

struct Job {
  Session& session;
  const float* input;
  float* output;
  int num_ticks;
  std::vector<Progress> progress;  // of each thread
};

// The pieces that are the turn of thread `own` of `size`.
void work(Job& job, int own, int size) noexcept {
  const FlushDenormals guard;
  const int most = job.session.max_ticks();
  const int num_parts = job.session.num_parts();
  const auto progress_of = [&job, size](int piece) -> Progress& {
    return job.progress[static_cast<std::size_t>(piece % size)];
  };
  for (int piece = own; piece * most < job.num_ticks; piece += size) {
    const Session::Ticks ticks{piece * most, std::min(most, job.num_ticks - piece * most)};
    const std::int64_t first = std::int64_t{piece} * num_parts;
    job.session.enter(own, job.input, ticks);
    for (int part = 0; part < num_parts; ++part) {
      if (piece > 0) progress_of(piece - 1).wait_for(first - num_parts + part + 1);
      job.session.run_part(own, part, ticks);
      progress_of(piece).set(first + part + 1);
    }
    job.session.leave(own, job.output, ticks);
  }
}

}  // namespace

void process_in_threads(Session& session, const float* input, float* output,
                        int num_ticks) noexcept {
  const int pieces = (num_ticks + session.max_ticks() - 1) / session.max_ticks();
  const int wanted = std::clamp(pieces, 1, session.threads());
  Job job{session, input, output, num_ticks,
          std::vector<Progress>(static_cast<std::size_t>(wanted))};
  std::atomic<int> size = 0;  // how many there are; 0: not yet known
  std::vector<std::thread> others;
  others.reserve(static_cast<std::size_t>(wanted));
  try {
    while (static_cast<int>(others.size()) + 1 < wanted) {
      const int own = static_cast<int>(others.size()) + 1;
      others.emplace_back([&job, &size, own] {
        size.wait(0);
        work(job, own, size);
      });
    }
  } catch (const std::exception&) {
    // The system has no more threads; those that there are do the work.
  }
  size = static_cast<int>(others.size()) + 1;
  size.notify_all();
  work(job, 0, size);
  for (std::thread& other : others) other.join();
  session.advance(num_ticks);
}

}  // namespace rtaudio
