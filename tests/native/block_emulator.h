// The blocks of the persistent WaveNet kernel in turns on the host: after every phase and message
// chance says which block goes on, and in which order its threads run. A block's memory and every
// place of a message that is not needed any more hold NaN, and the order of messages is watched.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <numeric>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "cpu/denormals.h"
#include "cuda/wavenet_block.h"
#include "kernel_test.h"

namespace rtaudio {

// One thread at a time: the block whose turn it is.
class Turns {
 public:
  Turns(int count, unsigned seed)
      : waits_(static_cast<std::size_t>(count)),
        ended_(static_cast<std::size_t>(count), false),
        chance_(seed) {}

  std::mt19937& chance() { return chance_; }

  void begin(int block) {
    std::unique_lock lock(mutex_);
    turn_.wait(lock, [&] { return next_ == block || stuck_; });
  }
  // Gives the turn away until `ready` and chance say so.
  void yield(int block, std::function<bool()> ready) {
    std::unique_lock lock(mutex_);
    waits_[static_cast<std::size_t>(block)] = std::move(ready);
    pass();
    turn_.wait(lock, [&] { return next_ == block || stuck_; });
    if (stuck_) throw std::logic_error("all blocks wait for one another");
    waits_[static_cast<std::size_t>(block)] = nullptr;
  }
  void end(int block) {
    const std::lock_guard lock(mutex_);
    ended_[static_cast<std::size_t>(block)] = true;
    pass();
  }

 private:
  void pass() {
    std::vector<int> able;
    for (std::size_t i = 0; i < waits_.size(); ++i) {
      if (!ended_[i] && (waits_[i] == nullptr || waits_[i]())) able.push_back(static_cast<int>(i));
    }
    if (able.empty()) {
      stuck_ = !std::all_of(ended_.begin(), ended_.end(), [](bool ended) { return ended; });
    } else {
      next_ = able[chance_() % able.size()];
    }
    turn_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable turn_;
  std::vector<std::function<bool()>> waits_;
  std::vector<bool> ended_;
  std::mt19937 chance_;
  int next_ = 0;
  bool stuck_ = false;
};

class BlockEmulator {
 public:
  // `resident` groups of each image are copied into the block, as a GPU's have them.
  BlockEmulator(const wavenet::Net& net, const wavenet::Call& call, wavenet::Way way,
                int num_threads, int resident, unsigned seed)
      : net_(net),
        call_(call),
        way_(way),
        lanes_(wavenet::bunch_of(way)),
        room_(net, call.lanes, way),
        threads_(static_cast<std::size_t>(num_threads)),
        resident_(std::min(resident, net.image_groups)),
        turns_(net.blocks, seed) {
    std::iota(threads_.begin(), threads_.end(), 0);
    for (int block = 0; block < net.blocks; ++block) {
      memory_.push_back(make_aligned_floats(static_cast<std::size_t>(room_.end)));
      std::fill_n(memory_.back().get(), room_.end, kNan);
      const wavenet::Group* image = net.images + std::ptrdiff_t{block} * net.image_groups;
      images_.emplace_back(image, image + resident_);
    }
  }

  void run() {
    std::vector<std::thread> blocks;
    std::vector<std::string> faults(static_cast<std::size_t>(net_.blocks));
    for (int block = 0; block < net_.blocks; ++block) {
      blocks.emplace_back([this, block, &faults] {
        const FlushDenormals guard;
        turns_.begin(block);
        try {
          run_block(block);
        } catch (const std::logic_error& error) {
          faults[static_cast<std::size_t>(block)] = error.what();
        }
        turns_.end(block);
      });
    }
    for (std::thread& block : blocks) block.join();
    for (const std::string& fault : faults) EXPECT_EQ(fault, "");
  }

  // What the first block drew from, of a lane and a step.
  const std::vector<float>& parameters(int lane, int step) const {
    return parameters_.at({lane, step});
  }

 private:
  struct Mail {  // of one place
    int step = -1;
    int floats = 0;
    int received = 0;  // the step after the last one that was
  };
  using Place = std::tuple<int, int, int>;  // block, port, bunch

  class Links {
   public:
    Links(BlockEmulator& all, int block) : all_(all), block_(block) {}
    template <class F>
    void phase(const F& f) {
      all_.in_any_order(
          [&](int thread) { f(wavenet::Thread{thread, static_cast<int>(all_.threads_.size())}); });
      all_.turns_.yield(block_, nullptr);
    }
    const float* receive(wavenet::Port port, int bunch, int step) {
      return all_.receive(block_, port, bunch, step);
    }
    void send(wavenet::Port port, int bunch, int step, const float* from, int row, int first,
              int last) {
      for (int to = first; to < last; ++to) all_.deliver(block_, to, port, bunch, step, from, row);
      all_.turns_.yield(block_, nullptr);
    }

   private:
    BlockEmulator& all_;
    int block_;
  };

  void run_block(int block) {
    const auto at = static_cast<std::size_t>(block);
    Links links(*this, block);
    const wavenet::Group* image = images_[at].data();
    float* memory = memory_[at].get();
    wavenet::with_products(way_, [&]<class Products>() {
      wavenet::Block<Links, Products>(net_, call_, links, room_, block, memory, image, resident_)
          .run();
    });
  }
  template <class F>
  void in_any_order(const F& f) {
    std::shuffle(threads_.begin(), threads_.end(), turns_.chance());
    const std::vector<int> order = threads_;
    for (const int thread : order) f(thread);
  }
  float* place(int block, wavenet::Port port, int bunch) {
    return memory_[static_cast<std::size_t>(block)].get() + room_.arrival(port, bunch);
  }
  int floats_of(wavenet::Port port) const { return lanes_ * wavenet::port_floats(net_, port); }

  const float* receive(int block, wavenet::Port port, int bunch, int step) {
    Mail& mail = mail_[{block, port.number, bunch}];
    turns_.yield(block, [&mail, all = floats_of(port), step] {
      return mail.step == step && mail.floats == all;
    });
    require(mail.received == step, "a message is read twice, or one was not read");
    mail.received = step + 1;
    const float* from = place(block, port, bunch);
    if (port.number == wavenet::matrix_input(net_.num_matrices).number) {
      const int lanes = std::min(lanes_, call_.lanes - bunch * lanes_);
      for (int i = 0; i < lanes; ++i) {
        const float* row = from + i * wavenet::port_row(net_, port);
        parameters_[{bunch * lanes_ + i, step}].assign(row, row + net_.num_parameters());
      }
    }
    return from;
  }
  void deliver(int block, int to, wavenet::Port port, int bunch, int step, const float* from,
               int row) {
    Mail& mail = mail_[{to, port.number, bunch}];
    const int place_row = wavenet::port_row(net_, port);
    float* const there = place(to, port, bunch);
    if (mail.step != step) {
      require(mail.step == step - 1, "a place of a message is skipped");
      require(mail.received == step, "a message is sent before the last one was read");
      mail.step = step;
      mail.floats = 0;
      std::fill_n(there, lanes_ * place_row, kNan);
    }
    const wavenet::Range senders = wavenet::senders(net_, port, to);
    require(block >= senders.begin && block < senders.end, "a message is from another block");
    const wavenet::Range own = wavenet::slice(net_, port, block);
    for (int i = 0; i < lanes_; ++i) {
      std::copy(from + i * row, from + i * row + (own.end - own.begin),
                there + i * place_row + own.begin);
    }
    mail.floats += lanes_ * (own.end - own.begin);
  }
  static void require(bool condition, const char* what) {
    if (!condition) throw std::logic_error(what);
  }

  const wavenet::Net& net_;
  const wavenet::Call& call_;
  wavenet::Way way_;
  int lanes_;  // of a bunch
  wavenet::Room room_;
  std::vector<int> threads_;
  int resident_;
  Turns turns_;
  std::vector<AlignedFloats> memory_;
  std::vector<std::vector<wavenet::Group>> images_;
  std::map<Place, Mail> mail_;
  std::map<std::pair<int, int>, std::vector<float>> parameters_;
};

}  // namespace rtaudio
