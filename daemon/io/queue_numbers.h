// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>

namespace synward::io {

// The netfilter queues of one worker. The rules know `syn` and `flow`. A packet of 65532 bytes or
// more does not fit into a queue's message: the worker hands it over to `large`, where the kernel
// cuts it into its segments first. Few senders make such (`gso_max_size`), and everybody else's
// packets of many segments stay whole.
struct QueueNumbers {
  std::uint16_t syn, flow, large;
};

inline constexpr unsigned queues_per_worker = 3;

// SYNs and the rest in pairs, and the large ones behind all pairs.
constexpr QueueNumbers queue_numbers(unsigned start, unsigned workers, unsigned worker) {
  return {.syn = static_cast<std::uint16_t>(start + 2 * worker),
          .flow = static_cast<std::uint16_t>(start + 2 * worker + 1),
          .large = static_cast<std::uint16_t>(start + 2 * workers + worker)};
}

}  // namespace synward::io
