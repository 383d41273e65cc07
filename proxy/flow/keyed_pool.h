// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <bit>
#include <cassert>
#include <cstdint>

#include "proxy/flow/key.h"
#include "proxy/flow/zeroed_array.h"

namespace synward::flow {

// A fixed number of nodes, found by their key. Node has `key` and `hash_next`; the latter links a
// node within its bucket, or within the list of those that were given back. Nodes are linked by
// index and never move.
//
// All-zero memory is an empty pool (buckets hold index + 1), so nothing is touched before use, and
// nodes given back are preferred to fresh ones: what is resident follows the peak, not the bound.
template <class Node>
class KeyedPool {
 public:
  KeyedPool(std::uint32_t capacity, const HashKey& hash_key)
      : hash_key_(hash_key), nodes_(capacity), buckets_(std::bit_ceil(std::size_t{capacity})) {
    assert(capacity < no_index);
  }

  std::uint32_t size() const { return size_; }
  std::uint32_t capacity() const { return static_cast<std::uint32_t>(nodes_.size()); }
  // Every node that ever was in use has an index below this.
  std::uint32_t touched() const { return touched_; }

  Node& operator[](std::uint32_t index) { return nodes_[index]; }
  std::uint32_t index_of(const Node& node) const {
    return static_cast<std::uint32_t>(&node - nodes_.data());
  }
  Node* data() { return nodes_.data(); }

  Node* find(const ConnectionKey& key) {
    for (std::uint32_t link = buckets_[bucket_of(key)]; link != 0;
         link = nodes_[link - 1].hash_next)
      if (nodes_[link - 1].key == key) return &nodes_[link - 1];
    return nullptr;
  }

  // A value-initialised node with its key; nullptr when full. The key must not be in the pool.
  Node* insert(const ConnectionKey& key) {
    if (size_ == capacity()) return nullptr;
    const std::uint32_t index = take();
    Node& node = nodes_[index];
    node = Node{};
    node.key = key;
    std::uint32_t& bucket = buckets_[bucket_of(key)];
    node.hash_next = bucket;
    bucket = index + 1;
    ++size_;
    return &node;
  }

  void erase(Node& node) {
    const std::uint32_t link = index_of(node) + 1;
    std::uint32_t* at = &buckets_[bucket_of(node.key)];
    while (*at != link) {
      assert(*at != 0);  // else the node is not in the pool
      at = &nodes_[*at - 1].hash_next;
    }
    *at = node.hash_next;
    node.hash_next = free_;
    free_ = link;
    --size_;
  }

 private:
  std::size_t bucket_of(const ConnectionKey& key) const {
    return keyed_hash(hash_key_, key) & (buckets_.size() - 1);
  }
  std::uint32_t take() {
    if (free_ == 0) return touched_++;
    const std::uint32_t index = free_ - 1;
    free_ = nodes_[index].hash_next;
    return index;
  }

  HashKey hash_key_;
  ZeroedArray<Node> nodes_;
  ZeroedArray<std::uint32_t> buckets_;  // index + 1; 0: empty
  std::uint32_t free_ = 0;              // index + 1; 0: none
  std::uint32_t touched_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace synward::flow
