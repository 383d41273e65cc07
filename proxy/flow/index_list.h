// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>

#include "proxy/flow/zeroed_array.h"

namespace synward::flow {

// A doubly linked list through two members of the nodes of an array, in the order of arrival.
// Every operation is given the array, so that the list holds no pointer (a successor process may
// map it elsewhere).
template <class Node, std::uint32_t Node::* Next, std::uint32_t Node::* Previous>
class IndexList {
 public:
  bool empty() const { return first_ == no_index; }
  std::uint32_t first() const { return first_; }  // the oldest; no_index if empty

  void push_back(Node* nodes, std::uint32_t index) {
    nodes[index].*Next = no_index;
    nodes[index].*Previous = last_;
    (last_ == no_index ? first_ : nodes[last_].*Next) = index;
    last_ = index;
  }

  void remove(Node* nodes, std::uint32_t index) {
    const std::uint32_t next = nodes[index].*Next;
    const std::uint32_t previous = nodes[index].*Previous;
    (previous == no_index ? first_ : nodes[previous].*Next) = next;
    (next == no_index ? last_ : nodes[next].*Previous) = previous;
  }

 private:
  std::uint32_t first_ = no_index;
  std::uint32_t last_ = no_index;
};

}  // namespace synward::flow
