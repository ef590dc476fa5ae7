// What blocks of the persistent WaveNet kernel send one another, and where each has what in its own
// memory.
#pragma once

#include "cuda/wavenet_net.h"

namespace rtaudio::wavenet {

// Lanes go through the blocks in bunches: one lane, or eight whose products read each weight once.
enum class Way { one, eight, tiles };
RTA_HD constexpr int bunch_of(Way way) { return way == Way::one ? 1 : 8; }
// A bunch of eight is thought to take two lone lanes' time; a GPU has not said yet.
constexpr int kFewLanes = 2;
// The way of so many lanes a group of blocks.
inline Way way_of(const Net& net, int lanes) {
  if (net.tiles) return Way::tiles;
  return lanes > kFewLanes ? Way::eight : Way::one;
}

// A message: of one bunch and step, a row for each of its lanes. Sizes are in floats, of which each
// may be two bf16.
struct Port {
  int number;
};
constexpr Port kX{0};                                // to the next block
constexpr Port kSkips{1};                            // likewise: the sum so far
RTA_HD Port matrix_input(int m) { return {2 + m}; }  // to all; m = num_matrices: the parameters

RTA_HD int num_ports(const Net& net) { return 3 + net.num_matrices; }
RTA_HD int port_values(const Net& net, Port port) {
  if (port.number == kX.number) return net.channels;
  return port.number <= 2 ? net.skip : net.rows[port.number - 3];
}
// Whether tensor cores take it as it is.
RTA_HD bool is_rounded(const Net& net, Port port) {
  return net.tiles && port.number >= 2 && port.number < 2 + net.num_matrices;
}
RTA_HD int port_floats(const Net& net, Port port) {
  const int values = net.whole(port_values(net, port));
  return is_rounded(net, port) ? values / 2 : values;
}

// From one lane's row to the next: quads of floats; for tiles such that what a warp reads or writes
// at once, of several lanes, lies in different banks.
RTA_HD int float_row(const Net& net, int values) {
  return net.tiles ? padded(values, kTile) + 4 : padded(values, 4);
}
RTA_HD int rounded_row(int values) { return kTile / 2 * (divided_up(values, kTile) | 1); }
RTA_HD int port_row(const Net& net, Port port) {
  const int values = port_values(net, port);
  return is_rounded(net, port) ? rounded_row(values) : float_row(net, values);
}

// Which floats of a row block `from` sends.
RTA_HD Range slice(const Net& net, Port port, int from) {
  if (port.number <= 2) return {0, port_floats(net, port)};
  const Share share{net, from};
  const int m = port.number - 3, rows = share.num_rows(m);
  if (rows == 0) return {0, 0};
  const int begin = share.first_row(m), end = begin + net.whole(rows);
  return is_rounded(net, port) ? Range{begin / 2, end / 2} : Range{begin, end};
}
// The blocks that send `to` what arrives at a port: [begin, end).
RTA_HD Range senders(const Net& net, Port port, int to) {
  if (port.number < 2) return {to - 1, to};
  return port.number == 2 ? Range{net.blocks - 1, net.blocks} : Range{0, net.blocks};
}

// The most rows of a matrix that one block has.
RTA_HD int most_rows(const Net& net, int m) {
  const int unit = net.tiles ? kTile : 1;
  return divided_up(divided_up(net.rows[m], unit), net.blocks) * unit;
}

// Where a block's own memory has what, in floats: of each lane its values, rows of rings and steps;
// of each bunch its steps and messages; and of the lanes of one bunch what its phases tell one
// another, arrays with a row a lane.
struct Room {
  int bunches;
  int values, slots, steps, bunch_steps;
  int x, x_row, z, z_row, h, h_row, residual, residual_row, skips, skips_row, sums, sums_row;
  int rounded_x, rounded_x_row;  // of tiles, whose h is rounded too
  int h_layer;                   // from one layer's h to the next
  int inbox, bunch_inbox;
  int ports[3 + kMaxMatrices];  // of a bunch's inbox
  int end = 0;

  Room() = default;
  RTA_HD Room(const Net& net, int lanes, Way way) {
    const int each = bunch_of(way), layers = divided_up(net.num_layers, net.blocks);
    bunches = divided_up(lanes, each);
    values = take(1, lanes * net.width);
    slots = take(1, lanes * layers);
    steps = take(1, lanes);
    bunch_steps = take(1, bunches);
    x = take(each, x_row = float_row(net, net.channels));
    // A draw's scores have the place of the rows' sums, which are with their receivers by then.
    int most = net.num_parameters() + 2 * sampler::kRuns;
    most = net.skip > most ? net.skip : most;
    for (int m = 0; m < net.num_matrices; ++m) most = max_of(most_rows(net, m), most);
    sums = take(each, sums_row = float_row(net, most));
    if (net.tiles) {
      take_for_tiles(net, each, layers);
    } else {
      take_for_parts(net, each, layers);
    }
    inbox = end;
    take_inbox(net, each);
    bunch_inbox = end - inbox;
    end = inbox + bunches * bunch_inbox;
  }

  RTA_HD int arrival(Port port, int bunch) const {
    return inbox + bunch * bunch_inbox + ports[port.number];
  }

 private:
  RTA_HD static int max_of(int a, int b) { return a > b ? a : b; }
  RTA_HD int take(int rows, int row) {
    const int at = end;
    end += padded(rows * row, 4);
    return at;
  }
  RTA_HD void take_for_tiles(const Net& net, int each, int layers) {
    rounded_x = take(each, rounded_x_row = rounded_row(net.channels));
    h_row = rounded_row(net.gate);
    h = take(layers, h_layer = each * h_row);
    z = take(layers * divided_up(net.gate, kTile), 2 * 4 * kWarp);  // as the warps have it
  }
  RTA_HD void take_for_parts(const Net& net, int each, int layers) {
    h_layer = padded(net.gate, 4);
    h = take(each, h_row = layers * h_layer);
    z = take(each, z_row = padded(layers * net.conv_parts() * 2 * net.gate, 4));
    residual = take(each, residual_row = padded(net.residual_parts() * net.channels, 4));
    int most = layers * net.skip_parts() * net.skip;
    for (int m = 0; m < net.num_matrices; ++m) {
      most = max_of(net.matrix_parts(m) * most_rows(net, m), most);
    }
    skips = take(each, skips_row = padded(most, 4));
  }
  // What only the first block receives has the place of what only the others do.
  RTA_HD void take_inbox(const Net& net, int each) {
    const int first = end, parameters = 2 + net.num_matrices;
    for (int i = 0; i < 2; ++i) ports[i] = take(each, port_row(net, {i})) - first;
    ports[parameters] = 0;
    end = max_of(first + each * port_row(net, {parameters}), end);
    for (int i = 2; i < parameters; ++i) ports[i] = take(each, port_row(net, {i})) - first;
  }
};

}  // namespace rtaudio::wavenet
