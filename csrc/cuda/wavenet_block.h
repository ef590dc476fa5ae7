// What one block of the persistent WaveNet kernel does: phases, which all threads of the block run
// and then wait for one another, and messages between them. The host's emulator runs the same.
//
// `Products` is how it multiplies, by bunches of kLanes lanes: Sums (wavenet_sums.h) or Tiles
// (wavenet_tiles.h). `Links` is how blocks reach each other:
//   phase(f): f(Thread) by all threads, then a barrier;
//   receive(port, bunch, step): waits until a message is whole; where it lies in the block's
//   memory; send(port, bunch, step, from, row, first, last): this block's slice, rows `row` floats
//   apart, to blocks [first, last); a barrier.
// A port has one place a bunch. A message of a step is sent only after the bunch's sample before it
// was drawn, for which everything sent until then had to be read.
#pragma once

#include "cuda/wavenet_draw.h"
#include "cuda/wavenet_sums.h"
#include "cuda/wavenet_tiles.h"

namespace rtaudio::wavenet {

// f.operator()<Products>() for a way.
template <class F>
decltype(auto) with_products(Way way, const F& f) {
  if (way == Way::one) return f.template operator()<Sums<1>>();
  if (way == Way::eight) return f.template operator()<Sums<8>>();
  return f.template operator()<Tiles>();
}

template <class Links, class Products>
class Block {
 public:
  // `memory`: Room::end floats, of a room for as many lanes as the call has, or more. The first
  // `resident` groups of the block's image are at `image`, all of them in the net's memory.
  RTA_HD Block(const Net& net, const Call& call, Links& links, const Room& room, int block,
               float* memory, const Group* image, int resident)
      : links_(links),
        products_({net,
                   call,
                   room,
                   {net, block},
                   memory,
                   image,
                   net.images + std::int64_t{block} * net.image_groups,
                   resident}) {}

  // Bunches follow one another through the blocks: time is cut into slots, in which a block has, in
  // this order, one bunch's matrices and draw, and passes the next one that it has not seen through
  // its layers. What a block waits for, another one does in an earlier slot, or in the same one but
  // earlier in this order: they never wait for one another.
  RTA_HD void run() {
    links_.phase([&](Thread t) { products_.own.begin(t); });
    const Net& net = products_.own.net;
    const int block = products_.own.share.block, bunches = products_.own.num_bunches();
    const int steps = products_.own.call.frames * products_.own.call.hop;
    const int period = bunches > net.blocks ? bunches : net.blocks;
    const int ahead = slots_to_older_taps(period);
    for (int step = 0; step <= steps; ++step) {
      for (int slot = 0; slot < period; ++slot) {
        // f(bunch, step) of what has been under way for so many slots.
        const auto after = [&](int slots, const auto& f) {
          const bool wrapped = slot < slots;
          const int bunch = wrapped ? slot - slots + period : slot - slots;
          if (bunch < bunches && (step > 0 || !wrapped)) f(bunch, wrapped ? step - 1 : step);
        };
        after(net.blocks, [&](int bunch, int s) {
          if (is_active(bunch, s)) finish(bunch, s);
        });
        int older = -1, older_step = 0;  // the bunch whose older taps are summed now
        after(ahead, [&](int bunch, int s) {
          if (bunch + 1 == bunches && is_active(0, s + 1)) older = 0, older_step = s + 1;
        });
        after(block, [&](int bunch, int s) {
          if ((bunch > 0 || s == 0) && is_active(bunch, s)) older = bunch, older_step = s;
        });
        if (older >= 0) products_.sum_older_taps(links_, older, older_step);
        after(block, [&](int bunch, int s) {
          if (is_active(bunch, s)) pass_layers(bunch, s);
        });
      }
    }
    links_.phase([&](Thread t) { products_.own.end(t); });
  }

 private:
  RTA_HD bool is_active(int bunch, int step) const { return step < products_.own.steps_of(bunch); }
  // The older taps of the first bunch's next step are summed while nobody waits for this block:
  // behind the last bunch's layers, unless matrices come then; behind these; at last when they are
  // needed. Slots since that bunch began.
  RTA_HD int slots_to_older_taps(int period) const {
    const int block = products_.own.share.block, blocks = products_.own.net.blocks;
    const int bunches = products_.own.num_bunches(), needed = period + block - bunches + 1;
    if (block + bunches < blocks) return block + 1;
    return blocks < needed ? blocks : needed;
  }

  // x through this block's layers and on to the next block, then the sum of the skips so far and of
  // these layers; that of all goes to every block.
  RTA_HD void pass_layers(int bunch, int step) {
    const Net& net = products_.own.net;
    const Room& room = products_.own.room;
    const int block = products_.own.share.block, layers = products_.own.share.num_layers();
    const bool first = block == 0, last = block + 1 == net.blocks;
    products_.begin(links_, bunch, step, first ? nullptr : links_.receive(kX, bunch, step));
    for (int l = 0; l < layers; ++l) {
      products_.pass_layer(links_, bunch, step, l, last && l + 1 == layers);
    }
    if (!last) {
      links_.send(kX, bunch, step, products_.own.memory + room.x, room.x_row, block + 1, block + 2);
    }
    products_.add_skips(links_, bunch, step, first ? nullptr : links_.receive(kSkips, bunch, step),
                        last);
    const Port port = last ? matrix_input(0) : kSkips;
    links_.send(port, bunch, step, products_.own.memory + room.sums, room.sums_row,
                last ? 0 : block + 1, last ? net.blocks : block + 2);
  }

  // This block's rows of the matrices behind the skips, to all blocks, the last one's to the first;
  // which draws.
  RTA_HD void finish(int bunch, int step) {
    const Room& room = products_.own.room;
    const Net& net = products_.own.net;
    for (int m = 0; m < net.num_matrices; ++m) {
      const bool last = m + 1 == net.num_matrices;
      products_.multiply(links_, m, links_.receive(matrix_input(m), bunch, step), last);
      links_.send(matrix_input(m + 1), bunch, step, products_.own.memory + room.sums, room.sums_row,
                  0, last ? 1 : net.blocks);
    }
    if (products_.own.share.block != 0) return;
    const float* parameters = links_.receive(matrix_input(net.num_matrices), bunch, step);
    Drawer<Links, Products::kLanes>{products_.own, links_, parameters, bunch, step}.run();
  }

  Links& links_;
  Products products_;
};

}  // namespace rtaudio::wavenet
