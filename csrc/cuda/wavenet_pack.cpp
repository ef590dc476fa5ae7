#include "cuda/wavenet_pack.h"

#include <algorithm>
#include <stdexcept>

#include "core/bf16.h"

namespace rtaudio::wavenet {
namespace {

// Fills one block's image.
class Image {
 public:
  Image(const Net& net, int block, Group* groups) : net_(net), share_{net, block}, to_(groups) {}

  void fill(const Weights& weights) {
    for (int l = 0; l < share_.num_layers(); ++l) {
      fill_layer(l, weights.layers[static_cast<std::size_t>(share_.first_layer() + l)]);
    }
    for (int m = 0; m < net_.num_matrices; ++m) {
      const Weights::Matrix& matrix = weights.matrices[static_cast<std::size_t>(m)];
      const int first = share_.first_row(m), depth = net_.depth(m);
      put(share_.matrix(m), share_.num_rows(m), depth,
          [&](int row, int k) { return matrix.weight[std::ptrdiff_t{first + row} * depth + k]; });
      for (int row = 0; matrix.bias != nullptr && row < share_.num_rows(m); ++row) {
        put_bias(share_.matrix_bias(m) + row, matrix.bias[first + row]);
      }
    }
  }

 private:
  void fill_layer(int l, const Weights::Layer& layer) {
    for (int tap = 0; tap < net_.kernel; ++tap) {
      const bool newest = tap + 1 == net_.kernel;
      const int begin = newest ? share_.newest_tap(l) : share_.older_tap(l, tap);
      const auto weight = [&](int row, int c) {
        return layer.conv[(std::ptrdiff_t{row} * net_.channels + c) * net_.kernel + tap];
      };
      if (net_.tiles) {
        put_halves(begin, weight);
      } else {
        put(begin, 2 * net_.gate, net_.channels, weight);
      }
    }
    const auto out = [&](int row, int k) { return layer.out[std::ptrdiff_t{row} * net_.gate + k]; };
    put(share_.residual(l), net_.channels, net_.gate, out);
    put(share_.skip(l), net_.skip, net_.gate,
        [&](int row, int k) { return out(net_.channels + row, k); });
    for (int row = 0; row < net_.channels + net_.skip; ++row) {
      const int first =
          row < net_.channels ? share_.residual_bias(l) : share_.skip_bias(l) - net_.channels;
      put_bias(first + row, layer.out_bias[row]);
    }
  }

  void put_bias(int at, float value) { to_[at / 4].words[at % 4] = as_int(value); }

  template <class F>
  void put(int begin, int rows, int depth, const F& weight) {
    for (int row = 0; row < rows; ++row) {
      for (int k = 0; k < depth; ++k) {
        if (net_.tiles) {
          put_in_tile(begin, row / kTile, row % kTile, k, depth, weight(row, k));
          continue;
        }
        std::uint32_t* words = to_[begin + std::ptrdiff_t{k / net_.each()} * rows + row].words;
        const int i = k % net_.each();
        if (net_.halves) {
          words[i / 2] |= std::uint32_t{to_bf16(weight(row, k))} << 16 * (i % 2);
        } else {
          words[i] = as_int(weight(row, k));
        }
      }
    }
  }

  // What is gated and its gate: a tile of the one, then one of the other.
  template <class F>
  void put_halves(int begin, const F& weight) {
    for (int row = 0; row < 2 * net_.gate; ++row) {
      const int half = row / net_.gate, gate = row % net_.gate;
      for (int k = 0; k < net_.channels; ++k) {
        put_in_tile(begin, 2 * (gate / kTile) + half, gate % kTile, k, net_.channels,
                    weight(row, k));
      }
    }
  }
  // Where wavenet_tiles.h has it.
  void put_in_tile(int begin, int tile, int row, int k, int depth, float weight) {
    const int step = tile * divided_up(depth, kTile) + k / kTile, quad = k % kTile / 4;
    const int lane = row % 8 * 4 + quad, word = row / 8 + k % 4 / 2 * 2;
    to_[begin + step * kWarp + lane].words[word] |= std::uint32_t{to_bf16(weight)} << 16 * (k % 2);
  }

  const Net& net_;
  Share share_;
  Group* to_;
};

void take_sizes(const Weights& weights, int blocks, bool strict, Net& net) {
  net.channels = weights.channels;
  net.gate = weights.gate;
  net.skip = weights.skip;
  net.kernel = weights.kernel;
  net.num_layers = static_cast<int>(weights.layers.size());
  net.num_matrices = static_cast<int>(weights.matrices.size());
  for (int m = 0; m < net.num_matrices; ++m) {
    net.rows[m] = weights.matrices[static_cast<std::size_t>(m)].rows;
  }
  net.width = weights.width;
  net.levels = weights.levels;
  net.halves = weights.halves;
  net.strict = strict;
  net.tiles = weights.dot && !strict;
  net.blocks = blocks;
  net.softmax = weights.softmax;
  net.codes = weights.codes;
  net.mixture = weights.mixture;
}

std::vector<float> pack_embedding(const Weights& weights) {
  const int columns = weights.levels > 0 ? weights.levels : weights.width;
  std::vector<float> table(static_cast<std::size_t>(columns + 1) *
                           static_cast<std::size_t>(weights.channels));
  for (int c = 0; c < weights.channels; ++c) {
    for (int k = 0; k < columns; ++k) {
      float value = weights.embedding[std::ptrdiff_t{c} * columns + k];
      if (weights.levels == 0 && weights.halves) {
        value = as_float(std::uint32_t{to_bf16(value)} << 16);
      }
      table[static_cast<std::size_t>(k * weights.channels + c)] = value;
    }
    if (weights.embedding_bias != nullptr) {
      table[static_cast<std::size_t>(columns * weights.channels + c)] = weights.embedding_bias[c];
    }
  }
  return table;
}

}  // namespace

Packed pack(const Weights& weights, int blocks, bool strict) {
  const auto layers = static_cast<int>(weights.layers.size());
  if (blocks < 1 || blocks > layers) {
    throw std::invalid_argument("a network of " + std::to_string(layers) +
                                " layers cannot be dealt to " + std::to_string(blocks) + " blocks");
  }
  if (weights.matrices.empty() || weights.matrices.size() > kMaxMatrices) {
    throw std::invalid_argument("the GPU's WaveNet has 1 to " + std::to_string(kMaxMatrices) +
                                " matrices behind its skips, not " +
                                std::to_string(weights.matrices.size()));
  }
  Packed packed{};
  take_sizes(weights, blocks, strict, packed.net);
  Net& net = packed.net;
  for (const Weights::Layer& layer : weights.layers) {
    packed.dilations.push_back(layer.dilation);
    packed.ring_offsets.push_back(packed.ring_floats);
    packed.ring_floats += std::int64_t{(net.kernel - 1) * layer.dilation} * net.ring_row();
  }
  packed.embedding = pack_embedding(weights);
  for (int block = 0; block < blocks; ++block) {
    net.image_groups = std::max(net.image_groups, Share{net, block}.end());
  }
  packed.images.resize(static_cast<std::size_t>(net.image_groups) *
                       static_cast<std::size_t>(blocks));
  for (int block = 0; block < blocks; ++block) {
    Image(net, block, packed.images.data() + std::ptrdiff_t{block} * net.image_groups)
        .fill(weights);
  }
  net.dilations = packed.dilations.data();
  net.ring_offsets = packed.ring_offsets.data();
  net.embedding = packed.embedding.data();
  net.images = packed.images.data();
  return packed;
}

}  // namespace rtaudio::wavenet
