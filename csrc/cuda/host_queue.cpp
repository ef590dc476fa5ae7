#include <cstdlib>
#include <cstring>
#include <numeric>

#include "cuda/queue.h"

namespace rtaudio::gpu {
namespace {

// All of [0, count) in an order of its own.
template <class F>
void in_any_order(std::int64_t count, std::uint64_t& seed, const F& f) {
  if (count == 0) return;
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  const auto n = static_cast<std::uint64_t>(count);
  std::uint64_t step = (seed >> 33) % n + 1;
  while (std::gcd(step, n) != 1) ++step;
  std::uint64_t at = (seed >> 17) % n;
  for (std::int64_t i = 0; i < count; ++i, at = (at + step) % n) f(static_cast<int>(at));
}

class HostQueue final : public Queue {
 public:
  std::shared_ptr<char> allocate(std::size_t bytes) override {
    return {static_cast<char*>(std::calloc(bytes + 64, 1)), std::free};
  }
  std::shared_ptr<char> allocate_pinned(std::size_t bytes) override { return allocate(bytes); }
  void write(void* to, const void* from, std::size_t bytes) override {
    std::memcpy(to, from, bytes);
  }
  void finish() override {}
  void read(void* to, const void* from, std::size_t bytes) override {
    std::memcpy(to, from, bytes);
  }
  void prepare(const Program&, const Exchange&, int) override {}
  void forget(char* scratch, std::size_t bytes) override {
    scratch_ = scratch;
    scratch_bytes_ = bytes;
  }
  void call(const Program& program, const Exchange& exchange, int ticks) override {
    std::memcpy(exchange.device, exchange.host, exchange.in_bytes);
    run(program, ticks);
    std::memcpy(exchange.host + exchange.out_offset, exchange.device + exchange.out_offset,
                exchange.out_bytes);
  }
  void call_on(void*, const Program& program, const Exchange& exchange, int ticks) override {
    std::memcpy(exchange.device, exchange.host, exchange.in_bytes);
    run(program, ticks);
  }
  void wait() override {}

 private:
  void run(const Program& program, int ticks) {
    std::memset(scratch_, 0xff, scratch_bytes_);  // NaN, wherever something reads what is not there
    for (const Section& section : program.sections) {
      const int each = section.ticks_each(ticks);
      for (int i = 0; i < section.rounds(ticks); ++i) {
        for (const Work& work : section.works) {
          std::visit([&](const auto& w) { run(w, each); }, work);
        }
      }
    }
  }
  template <class W>
  void run(const W& work, int ticks) {
    if constexpr (launches_itself<W>) {
      work.launch(ticks, nullptr);
    } else if constexpr (is_team<W>) {
      in_any_order(work.teams(ticks), seed_, [&](int team) {
        for (int phase = 0; phase < work.phases(ticks); ++phase) {
          in_any_order(W::kTeam, seed_, [&](int thread) { work(team, phase, thread, ticks); });
        }
      });
    } else {
      in_any_order(items_of(work, ticks), seed_, [&](int item) { do_item(work, item, ticks); });
    }
  }

  std::uint64_t seed_ = 1;
  char* scratch_ = nullptr;
  std::size_t scratch_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Queue> make_host_queue() { return std::make_unique<HostQueue>(); }

}  // namespace rtaudio::gpu
